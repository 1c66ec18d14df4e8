"""The Django application, with its places on every node."""

from __future__ import annotations

from pathlib import Path

from nodriza.inventory.sections.app import AppSettings, Placement
from nodriza.inventory.sections.site import FORM_MB

ASGI_CONNECTIONS = 20


class App(AppSettings):
    """The Django application, with the places it gets on every node."""

    source_path: Path
    releases: Placement

    @property
    def own_variables(self) -> set[str]:
        """The names of what the inventory itself tells the application."""
        return {*self.environment, *self.secrets}

    @property
    def most_workers(self) -> int:
        """On one child. Where the number is the child's own to find, for one of 16 cores."""
        return self.workers or 17

    @property
    def module(self) -> str:
        """The module with the application in it."""
        return (self.asgi or self.wsgi or "").partition(":")[0]

    @property
    def callable(self) -> str:
        """The application's name in its module."""
        return (self.asgi or "").partition(":")[2] or "application"

    @property
    def most_connections(self) -> int:
        """To the database, from one process. Nothing bounds them in an ASGI application, where
        each request has a thread of its own for what is not asynchronous (asgiref).
        """
        return ASGI_CONNECTIONS if self.asgi else self.threads

    @property
    def form_mb(self) -> int:
        """What visitors can send in one request, in MiB, where nobody uploads files."""
        return FORM_MB

    @property
    def largest_body_mb(self) -> int:
        """What visitors can send in one request, in MiB, at the addresses that take most."""
        return self.max_upload_mb if self.uploads else FORM_MB

    @property
    def user(self) -> str:
        """The unix user and group that the application's files belong to."""
        return self.name

    @property
    def builder(self) -> str:
        """The user who builds environments, and has no rights."""
        return f"{self.name[:26]}-build"  # 32 letters are the most (useradd(8))

    @property
    def cache(self) -> str:
        """What the builder has downloaded and built before."""
        return f"/var/cache/nodriza/{self.name}"

    @property
    def uv(self) -> str:
        """The environment that has uv in it, root's own."""
        return f"{self.own}/uv"

    @property
    def own_files(self) -> tuple[str, ...]:
        """Where the application writes while a release is made or tried."""
        return (self.media, self.home)

    @property
    def root(self) -> str:
        """The share's folder of this application, the same on every node."""
        return f"/srv/{self.name}"

    @property
    def home(self) -> str:
        """Where programs of the application keep what they keep below HOME; on no share."""
        return f"/var/lib/{self.name}-home"

    @property
    def asked(self) -> tuple[tuple[str, int], ...]:
        """The pages of ``health``: each path with the status that it has to have."""
        return tuple((page.path, page.expect) for page in self.health)

    @property
    def own(self) -> str:
        """The folder that each node has for itself, on its own disk."""
        return f"/opt/{self.name}"

    @property
    def current(self) -> str:
        """The link to the release that serves: each node's own, so that they can take turns."""
        return f"{self.own}/current"

    @property
    def newest(self) -> str:
        """The link to the release that was made last, for static files of pages that are open."""
        return f"{self.own}/newest"

    @property
    def begun(self) -> str:
        """Which making of the release in use this node's processes began with. Copies tell it by
        themselves."""
        return f"{self.own}/begun"

    @property
    def static(self) -> str:
        """The static files of the release that serves. To its processes it is told without the
        link: they stay with the release that they began with.
        """
        return f"{self.current}/static"

    @property
    def release_folder(self) -> str:
        """One folder for each release."""
        return f"{self._place}/releases"

    @property
    def venv_folder(self) -> str:
        """One Python environment for each set of requirements."""
        return f"{self._place}/venvs"

    @property
    def _place(self) -> str:
        return self.own if self.releases == "local" else self.root

    @property
    def packs(self) -> str:
        """Where nodes find what is to be on their own disks."""
        return f"{self.root}/packs"

    def pack(self, name: str) -> str:
        """The pack of a release or an environment."""
        return f"{self.packs}/{name}.tar"

    def seal(self, name: str) -> str:
        """What a release or an environment holds, as the central node wrote it down."""
        return f"{self.seals}/{name}.json"

    @property
    def record(self) -> str:
        """Which release served when: on the central node's own disk, out of others' reach."""
        return f"/var/lib/nodriza/releases/{self.name}.jsonl"

    @property
    def seals(self) -> str:
        """What each release holds; beside the record."""
        return f"/var/lib/nodriza/releases/{self.name}"

    @property
    def media(self) -> str:
        """What users upload."""
        return f"{self.root}/media"

    @property
    def once(self) -> str:
        """Locks of the processes that the cluster has once, a file for each."""
        return f"{self.root}/once"

    @property
    def reload(self) -> str:
        """The file whose touch makes every child load the current release."""
        return f"{self.root}/reload"

    @property
    def socket(self) -> str:
        """Where the application server takes requests from the web server."""
        return f"/run/{self.name}.sock"

    @property
    def environment_file(self) -> str:
        """The application's variables on each node, secrets among them."""
        return f"/etc/{self.name}/{self.name}.env"

    @property
    def next_environment_file(self) -> str:
        """Those that a release is built with, on a builder where another one serves meanwhile."""
        return f"/etc/{self.name}/{self.name}.next.env"
