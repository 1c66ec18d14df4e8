"""release: a node takes a release, and switches to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nodriza.inventory import Cluster, Node
from nodriza.release.release import PYTHON, Release, copy, environment, trial
from nodriza.resources import File, Interpreter, Link, OldReleases, Resource, Served
from nodriza.role import does


def release(
    node: Node, cluster: Cluster, to: Release, how: str, kept: Sequence[str], newest: Release
) -> Iterator[Resource]:
    """``newest`` is the one of ``kept`` that was made last.

    Which services follow is not said here. They name the link themselves, in ``reload_on`` or
    ``restart_on``; ``nodriza.change.switch`` puts them into the same plan.
    """
    app = cluster.app
    central, serves = node.builds, does(node, cluster, "web")
    if central:
        # Before the link: a run that is killed between the two leaves no release that serves
        # without an entry.
        yield Served(app.record, to.id, current=app.current, how=how, commit=to.commit)
    elif app.releases == "local":
        yield copy(cluster, app.release_folder, to.id, to.id, to.tree)
        yield environment(cluster, to)
        if serves and newest.id != to.id:
            yield copy(cluster, app.release_folder, newest.id, newest.id, newest.tree)
    else:
        yield Interpreter(f"{app.venv_folder}/{to.venv}", python=PYTHON)
    if serves:
        # The web server looks there for names with a hash that the release in use does not have.
        # So a page finds its files on children that have not switched yet, and on those that went
        # back.
        yield Link(app.newest, f"{app.release_folder}/{newest.id}", ahead=True)
    folder = f"{app.release_folder}/{to.id}"
    if does(node, cluster, "application"):
        yield trial(cluster, folder, ("/healthz", 0), *app.asked)
    elif not central:
        yield trial(cluster, folder)  # its Python may be another one than the builder's
    if not central and app.releases == "share":
        # One that is made anew changes nothing on this node, and who works in it begins anew.
        numbers = [seal["number"] for seal in (to.tree, to.environment) if seal]
        yield File(app.begun, f"{' '.join(map(str, numbers))}\n")
    current = Link(app.current, folder)
    yield current
    if central or app.releases == "local":
        yield OldReleases(
            app.release_folder,
            kept=tuple(kept),
            current=app.current,
            venvs=app.venv_folder,
            packs=app.packs if central else "",
            seals=app.seals,
            user=app.user,
            on_change=(current,),
        )
