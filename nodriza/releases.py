"""The releases that are still on the share, and the way back to one of them."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from nodriza.ask import ask
from nodriza.errors import TargetError
from nodriza.plan import Plan, find_role, make_plan, with_origin
from nodriza.render import Renderer
from nodriza.report.words import count
from nodriza.rollout import Run, roll_out

if TYPE_CHECKING:
    from nodriza.events import Served
    from nodriza.inventory import Cluster
    from nodriza.report import Report
    from nodriza.result import NodeResult
    from nodriza.vault import Vault

NAME = re.compile(r"\w[\w.-]*", re.ASCII)


@dataclass(frozen=True)
class Release:
    """One that is on the share; ``migrations`` as paths in it.

    ``served``: when it began to, the last time, in seconds since the epoch; ``None`` for
    one that never did. Nobody goes back to such a one.
    """

    id: str
    served: float | None
    migrations: frozenset[str]


@dataclass(frozen=True)
class Releases:
    """All of them, the last to serve first, and the id of the one that serves.

    ``way``: those that led to it, the oldest first. Going back takes one off; what was gone
    back from is no part of it any more.
    """

    all: tuple[Release, ...]
    current: str
    way: tuple[str, ...]

    def former(self, id: str = "") -> Release:
        """The one to go back to: ``id``, or the one that served before the one in use."""
        there = {release.id: release for release in self.all if release.served is not None}
        if id in there and id != self.current:
            return there[id]
        names = ", ".join(map(self._shown, there.values())) or "none"
        if id:
            known = id in {release.id for release in self.all}
            what = "is not on the share any more"
            if known:
                what = "serves already" if id == self.current else "has never served"
            raise TargetError(f"the release {id} {what}: {names}", kept="nothing was changed")
        before = [name for name in self.way if name in there and name != self.current]
        if not before:
            raise TargetError(
                f"no release served before the one that serves: {names}",
                kept="nothing was changed",
                do="fab deploy --rollback --release ID, for another one of them",
            )
        return there[before[-1]]

    def left_behind(self, to: Release) -> list[str]:
        """Migrations that the database may have, and ``to`` does not know.

        Those of a deploy that failed later on are among them: MariaDB does not take them back.
        """
        brought = frozenset[str]().union(*(release.migrations for release in self.all))
        return sorted(brought - to.migrations)

    def _shown(self, release: Release) -> str:
        since = time.strftime("%Y-%m-%d %H:%M", time.gmtime(release.served or 0))
        return f"{release.id} ({since}{', serves' if release.id == self.current else ''})"


def read(cluster: Cluster, **options: Any) -> Releases:
    """What the central node has. Raises what kept it from answering."""
    app = cluster.app
    patterns = [f"{app.release_folder}/*", f"{app.release_folder}/*/app/**/migrations/[0-9]*.py"]
    about = {"record": app.record, "current": app.current}
    questions = {"listing": patterns, "served": about}
    name = cluster.central.name
    result = ask(cluster, [Plan(name, ())], questions, **options)[name]
    if result.error:
        raise result.error
    return _releases(result.facts["listing"], result.facts["served"], app.release_folder)


def _releases(listing: dict[str, float], served: Sequence[Served], folder: str) -> Releases:
    migrations: dict[str, set[str]] = {}
    for path in listing:
        release, *inside = PurePosixPath(path.removeprefix(f"{folder}/")).parts
        if not NAME.fullmatch(release):
            continue  # not one of ours: a name becomes a part of paths
        found = migrations.setdefault(release, set())
        if inside:
            found.add("/".join(inside[1:]))
    # By the order of the record, and not by its times: a clock may have been wrong.
    since = {entry["release"]: entry["at"] for entry in served}
    last = {entry["release"]: number for number, entry in enumerate(served)}
    every = [Release(id, since.get(id), frozenset(paths)) for id, paths in migrations.items()]
    every.sort(key=lambda release: (-last.get(release.id, -1), release.id))
    return Releases(tuple(every), served[-1]["release"] if served else "", _way(served))


def _way(served: Sequence[Served]) -> tuple[str, ...]:
    """The releases that led to the one in use.

    What was gone back from was not well, or not wanted: it is on nobody's way back.
    """
    way: list[str] = []
    for entry in served:
        release = entry["release"]
        if entry["how"] == "rollback" and release in way:
            del way[way.index(release) :]
        way = [name for name in way if name != release] + [release]
    return tuple(way)


def go_back(
    cluster: Cluster, to: Release, vault: Vault, report: Report, **options: Any
) -> dict[str, NodeResult]:
    """Switch every node to a release that was there before."""
    node = cluster.central
    declared = with_origin(find_role("release", cluster)(node, cluster, to.id))
    plan = make_plan(declared, node, cluster, Renderer.of(cluster))
    values = vault.ensure(plan.secrets, keep=False)
    return roll_out(Run(cluster, report, values, "deploy --rollback", **options), [plan])


def farewell(releases: Releases, to: Release) -> Sequence[str]:
    """What going back does not undo."""
    left = releases.left_behind(to)
    if not left:
        return [f"{to.id} knows every migration that the database may have"]
    return [
        f"not undone: the database. {count(len(left), 'migration')} that {to.id} does not know, of"
        f" releases on the share: {', '.join(left)}",
        "  if it can't live with them: undo them with manage.py migrate APP NUMBER, run in"
        f" {releases.current}",
    ]
