"""release: a node takes a release, and switches to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nodriza.inventory import Cluster, Node
from nodriza.release import VENV, Release
from nodriza.resources import Copy, Link, OldReleases, Resource, Served, Trial


def release(
    node: Node, cluster: Cluster, to: Release, how: str, kept: Sequence[str]
) -> Iterator[Resource]:
    """What the node's services then follow is not said here: they name the link themselves
    (``reload_on``, ``restart_on``), and the switch brings them along (``nodriza.switch``).
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
                pack=f"{app.packs}/{pack}.tar",
                sha256=seal["sha256"] if seal else "",
                size=seal["size"] if seal else 0,
            )
    folder = f"{app.release_folder}/{to.id}"
    if node.kind == "child":
        yield Trial(
            folder,
            current=app.current,
            wsgi=app.wsgi,
            host=cluster.domain,
            scheme="https" if cluster.tls.on else "http",
            asked=(("/healthz", 0), *app.asked),
            user=app.user,
            env_file=app.environment_file,
            unit=f"nodriza-{app.name}-trial",
            writable=app.own_files,
            hidden=app.out_of_reach,
        )
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
