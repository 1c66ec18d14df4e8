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
    from nodriza.inventory import Cluster
    from nodriza.report import Report
    from nodriza.result import NodeResult
    from nodriza.vault import Vault

NAME = re.compile(r"\w[\w.-]*", re.ASCII)


@dataclass(frozen=True)
class Release:
    """One of them; ``built`` in seconds since the epoch, ``migrations`` as paths in it."""

    id: str
    built: float
    migrations: frozenset[str]


@dataclass(frozen=True)
class Releases:
    """All of them, the newest first, and the id of the one that serves."""

    all: tuple[Release, ...]
    current: str

    def former(self, id: str = "") -> Release:
        """The one to go back to: ``id``, or the newest that is older than the one in use."""
        there = {release.id: release for release in self.all}
        if id in there and id != self.current:
            return there[id]
        names = ", ".join(map(self._shown, self.all)) or "none"
        if id:
            what = "serves already" if id == self.current else "is not on the share any more"
            raise TargetError(f"the release {id} {what}: {names}", kept="nothing was changed")
        built = there[self.current].built if self.current in there else float("inf")
        older = [release for release in self.all if release.built < built]
        if not older:
            raise TargetError(
                f"no release is older than the one that serves: {names}",
                kept="nothing was changed",
                do="fab deploy --rollback --release ID, for another one of them",
            )
        return older[0]

    def left_behind(self, to: Release) -> list[str]:
        """Migrations that the release in use brought and ``to`` does not know."""
        now = next((each for each in self.all if each.id == self.current), to)
        return sorted(now.migrations - to.migrations)

    def _shown(self, release: Release) -> str:
        built = time.strftime("%Y-%m-%d %H:%M", time.gmtime(release.built))
        return f"{release.id} ({built}{', serves' if release.id == self.current else ''})"


def read(cluster: Cluster, **options: Any) -> Releases:
    """What the central node has. Raises what kept it from answering."""
    app = cluster.app
    patterns = [f"{app.releases}/*", f"{app.releases}/*/app/**/migrations/[0-9]*.py"]
    about = {"links": [app.current], "certificates": [], "marks": []}
    questions = {"listing": patterns, "state": about}
    name = cluster.central.name
    result = ask(cluster, [Plan(name, ())], questions, **options)[name]
    if result.error:
        raise result.error
    return _releases(result.facts["listing"], result.state["links"][app.current], app.releases)


def _releases(listing: dict[str, float], current: Any, folder: str) -> Releases:
    built = {}
    migrations: dict[str, set[str]] = {}
    for path, changed in listing.items():
        release, *inside = PurePosixPath(path.removeprefix(f"{folder}/")).parts
        if not NAME.fullmatch(release):
            continue  # not one of ours: a name becomes a part of paths
        if inside:
            migrations.setdefault(release, set()).add("/".join(inside[1:]))
        else:
            built[release] = changed
    every = [Release(id, at, frozenset(migrations.get(id, ()))) for id, at in built.items()]
    every.sort(key=lambda release: -release.built)
    return Releases(tuple(every), PurePosixPath(current).name if isinstance(current, str) else "")


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
        return ["the two releases have the same migrations: the database fits both"]
    return [
        f"not undone: the database. {count(len(left), 'migration')} of {releases.current} that"
        f" {to.id} does not know: {', '.join(left)}",
        "  if it can't live with them: undo them with manage.py migrate APP NUMBER, run in"
        f" {releases.current}",
    ]
