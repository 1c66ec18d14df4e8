"""The releases that the builder has, what served when, and the way back to one of them."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from nodriza.errors import TargetError
from nodriza.plan.plan import Plan
from nodriza.release.release import VENV, Release, takes
from nodriza.rollout.query import ask
from nodriza.wording import count

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node
    from nodriza.ssh.facts import Releases as Facts
    from nodriza.ssh.facts import Served

NAME = re.compile(r"\w[\w.-]*", re.ASCII)
KEEP = 5
"""Releases to go back to."""
BUSY = 20
"""Of older ones in which processes work: a node that lies does not fill the builder's disk."""


@dataclass(frozen=True)
class Releases:
    """All of them, the last to serve first, and the id of the one that serves.

    ``way``: those that led to it, the oldest first. Going back takes one off; what was gone
    back from is no part of it any more.
    """

    all: tuple[Release, ...]
    current: str
    way: tuple[str, ...]
    working: frozenset[str] = frozenset()
    """Those in which a process works, on any node that was asked."""

    def get(self, id: str) -> Release | None:
        """The one of that id, if it is there."""
        return next((release for release in self.all if release.id == id), None)

    def kept(self, id: str) -> tuple[str, ...]:
        """Those that stay when ``id`` serves: itself, ``KEEP`` that served before, and those in
        which something still works.
        """
        before = [r.id for r in self.all if r.served is not None and r.id != id]
        kept = (id, *before[:KEEP])
        busy = [r.id for r in self.all if r.id in self.working and r.id not in kept]
        return (*kept, *busy[:BUSY])

    def newest(self, to: Release, kept: Sequence[str]) -> Release:
        """Of ``to`` and those of ``kept`` the one that was made last.

        It has the static files with a hash of all others that were there then.
        """
        made = [release for release in self.all if release.tree and release.id in kept]
        return max([to, *made], key=_number)

    def former(self, id: str = "") -> Release:
        """The one to go back to: ``id``, or the one that served before the one in use."""
        there = {release.id: release for release in self.all if release.served is not None}
        if id in there and id != self.current:
            return _whole(there[id])
        names = ", ".join(map(self._shown, there.values())) or "none"
        if id:
            known = id in {release.id for release in self.all}
            what = "is not there any more"
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
        return _whole(there[before[-1]])

    def left_behind(self, to: Release) -> list[str]:
        """Migrations that the database may have, and ``to`` does not know.

        Those of a deploy that failed later on are among them: MariaDB does not take them back.
        """
        brought = frozenset[str]().union(*(release.migrations for release in self.all))
        return sorted(brought - to.migrations)

    def _shown(self, release: Release) -> str:
        since = time.strftime("%Y-%m-%d %H:%M", time.gmtime(release.served or 0))
        return f"{release.id} ({since}{', serves' if release.id == self.current else ''})"


def _number(release: Release) -> float:
    """That of its seal. A release that has none is the one that is about to be made."""
    return release.tree["number"] if release.tree else math.inf


def _whole(release: Release) -> Release:
    if not release.venv:
        raise TargetError(
            f"{release.name} has lost its link to an environment", kept="nothing was changed"
        )
    return release


def question(cluster: Cluster) -> dict[str, Any]:
    """What nodes are asked for ``of``: a word of ``nodriza.agent.answers``, and what about."""
    app = cluster.app
    about = {"record": app.record, "current": app.current, "seals": app.seals}
    counts = record_link(cluster.builder, cluster)
    return {"releases": {**about, "folder": app.release_folder, "counts": counts}}


def record_link(builder: Node, cluster: Cluster) -> str:
    """What says which entry of the record is the last: the builder's own link to the release. One
    that serves has switched with the others by the time of the entry, and nothing says it then.
    """
    return "" if takes(builder, cluster) else cluster.app.current


def read(cluster: Cluster, **options: Any) -> Releases:
    """What the builder has. Raises what kept it from answering."""
    folder = cluster.app.release_folder
    patterns = [f"{folder}/*", f"{folder}/*/app/**/migrations/[0-9]*.py"]
    name = cluster.builder.name
    questions = {"listing": patterns, **question(cluster)}
    result = ask(cluster, [Plan(name, ())], questions, **options)[name]
    if result.error:
        raise result.error
    migrations: dict[str, set[str]] = {}
    for path in result.facts["listing"]:
        release, *inside = PurePosixPath(path.removeprefix(f"{folder}/")).parts
        found = migrations.setdefault(release, set())
        if inside:
            found.add("/".join(inside[1:]))
    return of(result.facts["releases"], migrations)


def of(facts: Facts, migrations: Mapping[str, Iterable[str]] | None = None) -> Releases:
    """What the builder's answer to ``question`` means."""
    # By the order of the record, and not by its times: a clock may have been wrong.
    served = {entry["release"]: (number, entry) for number, entry in enumerate(facts["served"])}
    there = {name for name in facts["seals"] if not name.startswith(VENV)}
    there |= {name for name in migrations or () if NAME.fullmatch(name)}
    every = []
    for id in there:
        _, entry = served.get(id, (-1, None))
        venv = facts["venvs"].get(id, "")
        every.append(
            Release(
                id,
                served=entry["at"] if entry else None,
                commit=entry["commit"] if entry else "",
                venv=venv,
                tree=facts["seals"].get(id),
                environment=facts["seals"].get(VENV + venv),
                python=facts["pythons"].get(venv, ""),
                migrations=frozenset((migrations or {}).get(id, ())),
            )
        )
    every.sort(key=lambda release: (-served.get(release.id, (-1,))[0], release.id))
    current = facts["served"][-1]["release"] if facts["served"] else ""
    return Releases(tuple(every), current, _way(facts["served"]), frozenset(facts["working"]))


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


def farewell(releases: Releases, to: Release) -> Sequence[str]:
    """What going back does not undo."""
    left = releases.left_behind(to)
    if not left:
        return [f"{to.id} knows every migration that the database may have"]
    return [
        f"not undone: the database. {count(len(left), 'migration')} that {to.id} does not know, of"
        f" releases that are kept: {', '.join(left)}",
        "  if it can't live with them: undo them with manage.py migrate APP NUMBER, run in"
        f" {releases.current}",
    ]
