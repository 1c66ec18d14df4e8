"""release: a node takes a release, and switches to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nodriza.inventory import Cluster, Node
from nodriza.release.release import PYTHON, Release, copy, environment, trial
from nodriza.resources import File, Interpreter, Link, OldReleases, Resource
from nodriza.role import does


def release(
    node: Node, cluster: Cluster, to: Release, kept: Sequence[str], newest: Release
) -> Iterator[Resource]:
    """``newest`` is the one of ``kept`` that was made last.

    Which services follow is not said here. They name the link themselves, in ``reload_on`` or
    ``restart_on``; ``nodriza.change.switch`` puts them into the same plan.
    """
    app = cluster.app
    copies = app.releases == "local" and not node.builds  # which has made them there
    serves = does(node, cluster, "web")
    if copies:
        yield copy(cluster, app.release_folder, to.id, to.id, to.tree)
        yield environment(cluster, to)
        if serves and newest.id != to.id:
            yield copy(cluster, app.release_folder, newest.id, newest.id, newest.tree)
    elif not node.builds:
        yield Interpreter(f"{app.venv_folder}/{to.venv}", python=PYTHON)
    if serves:
        # The web server looks there for names with a hash that the release in use does not have.
        # So a page finds its files on children that have not switched yet, and on those that went
        # back.
        yield Link(app.newest, f"{app.release_folder}/{newest.id}", ahead=True)
    folder = f"{app.release_folder}/{to.id}"
    if does(node, cluster, "application"):
        yield trial(cluster, folder, ("/healthz", 0), *app.asked)
    else:
        yield trial(cluster, folder)  # its Python may be another one than the builder's
    if not copies:
        # One that is made anew changes nothing on this node, and who works in it begins anew.
        numbers = [seal["number"] for seal in (to.tree, to.environment) if seal]
        yield File(app.begun, f"{' '.join(map(str, numbers))}\n")
    current = Link(app.current, folder)
    yield current
    if copies:
        yield OldReleases(
            app.release_folder,
            kept=tuple(kept),
            current=app.current,
            venvs=app.venv_folder,
            seals=app.seals,
            user=app.user,
            on_change=(current,),
        )
