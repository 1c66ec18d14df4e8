"""release: a node takes a release, and switches to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nodriza.inventory import Cluster, Node
from nodriza.release import PYTHON, VENV, Release, trial
from nodriza.resources import Copy, Interpreter, Link, OldReleases, Resource, Served


def release(
    node: Node, cluster: Cluster, to: Release, how: str, kept: Sequence[str]
) -> Iterator[Resource]:
    """Which services follow is not said here. They name the link themselves, in ``reload_on`` or
    ``restart_on``; ``nodriza.switch`` puts them into the same plan.
    """
    app = cluster.app
    central = node.kind == "central"
    if central:
        # Before the link: a run that is killed between the two leaves no release that serves
        # without an entry.
        yield Served(app.record, to.id, current=app.current, how=how, commit=to.commit)
    elif app.releases == "local":
        for folder, name, pack, seal in (
            (app.venv_folder, to.venv, VENV + to.venv, to.environment),
            (app.release_folder, to.id, to.id, to.tree),
        ):
            yield Copy(
                f"{folder}/{name}",
                tree=seal["tree"] if seal else "",  # a check may be ahead of the build
                pack=app.pack(pack),
                sha256=seal["sha256"] if seal else "",
                size=seal["size"] if seal else 0,
            )
    if not central:
        yield Interpreter(f"{app.venv_folder}/{to.venv}", python=PYTHON)
    folder = f"{app.release_folder}/{to.id}"
    if node.kind == "child":
        yield trial(cluster, folder, ("/healthz", 0), *app.asked)
    current = Link(app.current, folder)
    yield current
    if central or app.releases == "local":
        yield OldReleases(
            app.release_folder,
            kept=tuple(kept),
            current=app.current,
            venvs=app.venv_folder,
            packs=app.packs if central else "",
            seals=app.seals if central else "",
            user=app.user,
            on_change=(current,),
        )
