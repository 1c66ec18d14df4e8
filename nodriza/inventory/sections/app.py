"""``app``: the Django application, as it is written; ``nodriza.inventory.app`` has its places."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from nodriza.inventory import text
from nodriza.inventory.base import Model, Section, whole
from nodriza.inventory.sections.processes import Processes

Placement = Literal["local", "share"]
Installer = Literal["uv", "pip"]


class HealthCheck(Model):
    """A page that has to answer before a child counts as well after a deploy."""

    path: text.UrlPath = Field(description="The page's path.")
    expect: Annotated[int, whole(200, 499)] = Field(
        default=200, description="The status that it has to answer."
    )


class Hooks(Model):
    """Commands of the project's own around a deploy."""

    build: Annotated[tuple[text.ShellLine, ...], text.Items] = Field(
        default=(),
        description=(
            "Lines for sh, such as npm ci && npm run build, run in the release by a user without"
            " rights, once its environment is there."
        ),
    )
    before_switch: Annotated[tuple[text.ShellLine, ...], text.Items] = Field(
        default=(),
        description=(
            "Lines for sh, run as the application on the central node, after the migrations."
        ),
    )
    after: Annotated[tuple[text.AfterHook, ...], text.Items] = Field(
        default=(),
        description=(
            "Once all children serve: https:// addresses (or secret:NAME of one) that get a POST,"
            " or lines for sh on this computer. Their failure fails nothing."
        ),
    )


class Tasks(Model):
    """What Celery's tasks are like. ``longest``: seconds that one of them may take."""

    longest: Annotated[int, whole(1, 604_800)] = Field(
        default=3600,
        description=(
            "Seconds that the longest may take: a deploy ends none before, and waits for none."
        ),
    )

    @property
    def visibility(self) -> int:
        """Seconds after which a task that nobody has acknowledged goes to another worker.

        Longer than one may wait in a worker for the one before it, and be worked on then. 3600 is
        what Redis's transport has by itself (kombu's visibility_timeout).
        """
        return max(3600, 2 * self.longest)


def _by_name(value: object) -> object:
    if isinstance(value, int):
        raise ValueError(  # noqa: TRY004 (pydantic's way)
            f"names what runs beside the web. Write workers: {value} for what serves it"
        )
    return value


class AppSettings(Section):
    """The Django application, as written."""

    STAND_INS: ClassVar = {"name": "app", "source": ".", "settings": "app"}

    name: text.AppName = Field(
        description="The name of its unix user and group, its database, /srv/NAME and /etc/NAME."
    )
    source: text.Folder = Field(
        description="The folder with manage.py on this computer, relative to this file."
    )
    wsgi: text.Module | None = Field(
        default=None,
        description=(
            "The module with `application` in it, such as shop.wsgi. An inventory has this key or"
            " app/asgi."
        ),
    )
    asgi: text.AsgiApplication | None = Field(
        default=None,
        description=(
            "The ASGI application, websockets included, in the place of app/wsgi: a module and the"
            " name in it, such as shop.asgi:application."
        ),
    )
    settings: text.Module = Field(description="The settings module (DJANGO_SETTINGS_MODULE).")
    celery: text.Module | None = Field(
        default=None, description="The application for `celery -A`. Without it there is no Celery."
    )
    tasks: Tasks = Field(default=Tasks(), description="Properties of Celery's tasks.")
    requirements: text.InsidePath | None = Field(
        default=None,
        description=(
            "The file that says what is installed, relative to source. Else the first that is"
            " there of uv.lock, pylock.toml, requirements.txt, poetry.lock and pyproject.toml."
        ),
    )
    installer: Installer = Field(
        default="uv", description="The program that makes the environment."
    )
    hooks: Hooks = Field(
        default=Hooks(), description="Commands of the project's own around a deploy."
    )
    include: Annotated[tuple[text.InsidePath, ...], text.Items] = Field(
        default=(), description="Files and folders that are deployed although git ignores them."
    )
    releases: Placement | None = Field(
        default=None,
        description=(
            "Where code and environments lie: `share`, on the central node for all (by NFS), or"
            " `local`, a copy on each node's own disk. Always local with GlusterFS."
        ),
    )
    health: Annotated[tuple[HealthCheck, ...], text.Items] = Field(
        default=(),
        description=(
            "Pages that have to answer as expected before a deploy goes on to the next child."
        ),
    )
    debug: bool = Field(
        default=False,
        description=(
            "That a release may serve whose DEBUG is True: its errors show source and settings."
        ),
    )
    uid: Annotated[int, whole(100, 59999)] = Field(
        default=800, description="The number of its unix user and group, the same on all nodes."
    )
    workers: Annotated[int, whole(1, 512)] | None = Field(
        default=None,
        description="Worker processes on each child; else one more than it has cores.",
    )
    processes: Annotated[Processes, BeforeValidator(_by_name)] = Field(
        default={},
        description=(
            "What runs beside the web, by names of your own: commands that run for ever, and"
            " timers. Celery's workers and its clock are not among them."
        ),
    )
    threads: Annotated[int, whole(1, 256)] = Field(
        default=2,
        description="Requests that a worker answers at once, each in a thread. Not with app/asgi.",
    )
    max_upload_mb: Annotated[int, whole(1, 1_000_000)] = Field(
        default=200, description="The largest request that nginx accepts at app/uploads, in MiB."
    )
    uploads: Annotated[tuple[text.UrlPrefix, ...], text.Items] = Field(
        default=(),
        description=(
            "Where visitors send files, by the beginning of the address: [/upload/, /admin/]. All"
            " other addresses take 3 MiB."
        ),
    )
    environment: text.Environment = Field(
        default={},
        description=(
            "More environment variables, one line each. Nothing secret here. $NAME alone is the"
            " value of the cluster's variable of that name: DB_HOST: $DATABASE_HOST."
        ),
    )
    secrets: Annotated[tuple[text.SecretVariable, ...], text.Items] = Field(
        default=(),
        description=(
            "Environment variables with secrets in them: EMAIL_HOST_PASSWORD has the value that"
            " fab secrets.set email_host_password takes."
        ),
    )
    packages: Annotated[tuple[text.PackageName, ...], text.Items] = Field(
        default=(), description="Debian packages for every node that runs the application."
    )
    build_packages: Annotated[tuple[text.PackageName, ...], text.Items] = Field(
        default=(), description="Debian packages for the installer, on nodes that build."
    )
    smoke: text.InsidePath | None = Field(
        default=None,
        description="The application's own checks for `fab smoke`, relative to source.",
    )
