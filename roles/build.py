"""build: one release, made and tried on the node that builds. Nobody serves it yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from nodriza.inventory import Cluster, Node
from nodriza.plan import hidden
from nodriza.plan.render import Template
from nodriza.release.release import (
    PYTHON,
    VENV,
    apart,
    intact,
    preflight,
    recipe,
    source_name,
    step,
)
from nodriza.resources import (
    Built,
    Command,
    Link,
    Migrations,
    OldReleases,
    Resource,
    Sealed,
    Static,
    Upload,
)
from nodriza.source.requirements import Requirements

HOOK = 3600
"""Seconds for one command of ``app.hooks.before_switch``."""


def build(
    node: Node,
    cluster: Cluster,
    release_id: str,
    venv_id: str,
    tree: Upload | None = None,
    requirements: Requirements | None = None,
    breaking: bool = False,
) -> Iterator[Resource | Template]:
    """Make it beside those that are there, try it, pack it, and last of all migrate.

    Each step needs the one before; whichever fails, what serves goes on serving.

    ``tree`` is the application's source, ``venv_id`` names its environment. Releases with the same
    ``requirements`` share one environment. Without both it is a release that is there already: it
    is tried, and nobody touches the database. ``breaking``: its migrations may take something from
    the release that serves, or the database may lack what it works with.
    """
    if tree and requirements:
        yield from _made(cluster, release_id, tree, requirements, breaking)
    else:
        yield from _again(cluster, release_id, venv_id, breaking)


def _made(
    cluster: Cluster, release_id: str, tree: Upload, requirements: Requirements, breaking: bool
) -> Iterator[Resource | Template]:
    app = cluster.app
    folder, venv_id = f"{app.release_folder}/{release_id}", requirements.id
    venv_folder = f"{app.venv_folder}/{venv_id}"
    python = f"{folder}/venv/bin/python"
    # What a build has left that failed: its room is wanted now.
    yield OldReleases(
        app.release_folder,
        kept=(release_id,),
        current=app.current,
        venvs=app.venv_folder,
        packs=app.packs,
        seals=app.seals,
        user=app.user,
        unsealed=True,
        venv=venv_id,
    )
    yield from intact(cluster, release_id, venv_id, PYTHON)
    *tools, venv = _environment(cluster, folder, requirements)
    # Root's, both: the application can't change its own code.
    yield tree
    yield from tools
    yield venv
    yield Link(f"{folder}/venv", venv_folder)
    hooked = _hooked(cluster, f"{folder}/app", tree.path, venv_folder)
    yield from hooked
    # Its user may not write here, so each of its processes would compile everything anew.
    # By Debian's Python: what the environment's own would load is somebody else's.
    argv = ("python3", "-I", "-m", "compileall", "-q", "-f", f"{folder}/app")
    yield Command("compile", argv=argv, on_change=(tree, *hooked))

    built = (tree, venv, *hooked)

    # Before anything is imported that may name a static file: Django looks into the list of them.
    scratch = f"{app.own}/collected"
    yield Static(
        f"{folder}/static",
        scratch=scratch,
        **{**step(cluster, "collectstatic"), "writable": (scratch, *app.own_files)},
    )
    # Refused before anything is touched that serves. No page is asked: the database does not fit
    # the release yet.
    yield preflight(cluster, folder, breaking=breaking)
    yield from _sealed(cluster, release_id, venv_id)
    show = f"cd {folder}/app; exec {python} manage.py showmigrations"
    shell = f"set -a; . {app.environment_file}; {show}"
    yield Migrations(
        folder,
        current=app.current,
        seal=app.seal(release_id),
        words="What it did before stays if the database can't undo changes of tables, as MariaDB"
        " can't. What is applied says"
        f"\n  fab run:{cluster.builder.name} \"runuser -u {app.user} -- sh -c '{shell}'\"",
        **step(cluster, "migrate"),
    )
    for number, line in enumerate(app.hooks.before_switch, 1):
        yield Command(
            f"before_switch-{number}",
            argv=("sh", "-c", f"PATH={folder}/venv/bin:$PATH STATIC_ROOT={folder}/static; {line}"),
            on_change=built,
            cwd=f"{folder}/app",
            timeout=HOOK,
            words=f"app.hooks.before_switch: {line}",
            **step(cluster, f"before_switch-{number}"),
        )


def _environment(
    cluster: Cluster, folder: str, requirements: Requirements
) -> Iterator[Resource | Template]:
    """The environment, and before it what installs; built by a user without rights."""
    uv, venv = apart(cluster, folder, requirements.id)
    if requirements.installer == "uv":
        yield uv
    source = source_name(cluster)
    what, files = recipe(folder, source, requirements)
    yield from files
    yield replace(
        venv,
        requirements=f"{folder}/{what}",
        folder=f"{folder}/{source}",
        digest=requirements.id,
        uv=f"{uv.path}/bin/uv" if requirements.installer == "uv" else "",
    )


def _hooked(cluster: Cluster, tree: str, source: str, venv: str) -> tuple[Built, ...]:
    """The tree that the project's own build commands make of the source."""
    app = cluster.app
    if not app.hooks.build:
        return ()
    unit = f"nodriza-{app.name}-build"
    return (
        Built(
            tree,
            source=source,
            commands=app.hooks.build,
            user=app.builder,
            unit=unit,
            venv=venv,
            hidden=hidden.from_builder(cluster),
            cache=app.cache,
        ),
    )


def _sealed(cluster: Cluster, release_id: str, venv_id: str) -> Iterator[Sealed]:
    """What the release and its environment hold, and their packs where nodes have copies."""
    app = cluster.app
    for folder, name, pack in (
        (app.venv_folder, venv_id, VENV + venv_id),
        (app.release_folder, release_id, release_id),
    ):
        yield Sealed(
            f"{folder}/{name}",
            seal=app.seal(pack),
            pack=app.pack(pack) if app.releases == "local" else "",
            user=app.user,
        )


def _again(cluster: Cluster, release_id: str, venv_id: str, breaking: bool) -> Iterator[Resource]:
    """It is packed as well, where its pack is gone."""
    app = cluster.app
    folder = f"{app.release_folder}/{release_id}"
    yield preflight(cluster, folder, breaking=breaking, again=True)
    yield from _sealed(cluster, release_id, venv_id)
