"""release: one deploy, as a plan of the central node."""

from __future__ import annotations

from collections.abc import Iterator

from nodriza.inventory import Cluster, Node
from nodriza.resources import (
    Archive,
    Command,
    Directory,
    Link,
    OldReleases,
    Resource,
    Served,
    Touch,
    Venv,
)

KEEP = 5
"""Releases to go back to."""
CACHES = 3
"""Seconds until every node sees a switched link: a second in the kernel's cache (the mount
options of the clients), for GlusterFS another one in its own, and one to spare."""


def release(
    node: Node,
    cluster: Cluster,
    release_id: str,
    venv_id: str = "",
    archive: bytes = b"",
    commit: str = "",
) -> Iterator[Resource]:
    """Build it beside the one that serves, try it, switch, tell the others.

    Each step needs the one before; whichever fails, the old release continues to serve, and
    the new one is none to go back to (``Served``).

    ``archive`` is a tar.gz of the application's source, ``venv_id`` names its environment;
    without them it is a release that is there already, and nobody touches the database.
    ``commit`` is what people know the release by.
    """
    app = cluster.app
    folder = f"{app.release_folder}/{release_id}"
    yield from _build(cluster, folder, venv_id, archive) if venv_id else _try(cluster, folder)

    current = Link(app.current, folder)
    how = "deploy" if venv_id else "rollback"
    yield Served(app.record, release_id, current=app.current, how=how, commit=commit)
    yield current
    # A worker that starts at once on a far node could still find the old link.
    yield Command("caches", argv=("sleep", str(CACHES)), on_change=(current,))
    yield Touch(app.reload, on_change=(current,))
    yield OldReleases(
        app.release_folder,
        keep=KEEP,
        current=app.current,
        record=app.record,
        venvs=app.venv_folder,
        on_change=(current,),
    )


def _build(cluster: Cluster, folder: str, venv_id: str, archive: bytes) -> Iterator[Resource]:
    """Releases with the same requirements share one environment: thousands of small files,
    which are what a network file system is slow at.
    """
    app = cluster.app
    python = f"{folder}/venv/bin/python"
    yield Directory(folder)
    # Root's, both: the application can't change its own code.
    tree = Archive(f"{folder}/app", archive)
    requirements = f"{folder}/app/{app.requirements}"
    venv = Venv(
        f"{app.venv_folder}/{venv_id}",
        requirements=requirements,
        digest=venv_id,
        folder=f"{folder}/app",
    )
    yield tree
    yield venv
    yield Link(f"{folder}/venv", venv.path)

    built = (tree, venv)

    def step(name: str, *argv: str) -> Command:
        # As the application's user, in its place, with its variables: as on a child.
        return Command(
            name,
            argv=(python, *argv),
            on_change=built,
            user=app.user,
            cwd=f"{folder}/app",
            env_file=app.environment_file,
        )

    yield step("import", "-c", f"from {app.wsgi} import application")
    yield step("check", "manage.py", "check")
    # For every release, also when there is nothing to migrate: then it says so at once.
    yield step("migrate", "manage.py", "migrate", "--noinput")
    # Adds to what is there: pages of the old release still ask for the old files.
    yield step("collectstatic", "manage.py", "collectstatic", "--noinput")


def _try(cluster: Cluster, folder: str) -> Iterator[Resource]:
    app = cluster.app
    imports = (f"{folder}/venv/bin/python", "-c", f"from {app.wsgi} import application")
    yield Command(
        "import",
        argv=imports,  # when it does not, a second time for its words
        unless=imports,
        user=app.user,
        cwd=f"{folder}/app",
        env_file=app.environment_file,
    )
