"""record: the node that makes releases writes down which one serves, and lets old ones go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nodriza.inventory import Cluster, Node
from nodriza.release.record import record_link
from nodriza.release.release import Release
from nodriza.resources import Link, OldReleases, Resource, Served


def record(
    node: Node, cluster: Cluster, to: Release, how: str, kept: Sequence[str]
) -> Iterator[Resource]:
    """The last step of a deploy: until it is done, what served before is what serves.

    A node that serves has its link already, as all others have (``roles/release.py``).
    """
    app, link = cluster.app, record_link(node, cluster)
    # Before the link: a run that is killed between the two leaves no release that serves
    # without an entry.
    yield Served(app.record, to.id, current=link, how=how, commit=to.commit)
    current = Link(app.current, f"{app.release_folder}/{to.id}")
    if link:
        yield current
    yield OldReleases(
        app.release_folder,
        kept=tuple(kept),
        current=app.current,
        venvs=app.venv_folder,
        packs=app.packs,
        seals=app.seals,
        user=app.user,
        on_change=(current,) if link else (),
    )
