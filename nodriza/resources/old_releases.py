"""Releases that nobody goes back to any more."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, List, Sequence, Tuple

from nodriza.agent.host import ASIDE
from nodriza.resources.base import Resource, State, ids

if TYPE_CHECKING:
    from nodriza.agent.host import Host


@dataclass(frozen=True)
class OldReleases(Resource):
    """No more than the ``keep`` newest directories in ``path``, and the one in use.

    ``current`` is the link to the one in use: it neither counts nor goes. Names that
    begin with a dot are somebody's unfinished work and are left alone. In ``venvs``, if
    given, each release has its environment, by a link ``venv``, and may share it with
    others; those that no release links to any more go as well.
    """

    path: str
    keep: int = 5
    current: str = ""
    venvs: str = ""
    on_change: Tuple[Any, ...] = ()

    ALONE: ClassVar[bool] = True  # a link switched earlier in the run must count

    def wanted(self) -> State:
        """None that is too old."""
        return {"old": 0}

    def __post_init__(self) -> None:
        object.__setattr__(self, "on_change", ids(self.on_change))

    @classmethod
    def look(cls, host: Host, many: Sequence[OldReleases]) -> List[State]:
        """Counts them."""
        return [{"old": len(one._old(host)) + len(one._unlinked(host))} for one in many]

    def fix(self, host: Host, now: State) -> None:
        """Oldest first. Each gets another name before it is taken apart.

        Taking it apart would make it the newest, should we be killed half-way.
        """
        for name in self._old(host):
            _take_apart(host, self.path, name)
        for name in self._unlinked(host):
            _take_apart(host, self.venvs, name)

    def _old(self, host: Host) -> List[str]:
        """The names to remove, oldest first; the leftovers of a killed run before them."""
        names = host.list(self.path)
        used = self._used(host)
        ages = []
        for name in names:
            seen = host.stat(f"{self.path}/{name}")
            if seen and seen.type == "directory" and name != used and not name.startswith("."):
                ages.append((seen.modified, name))
        ages.sort()
        spare = ages[: max(0, len(ages) - self.keep)]
        return [name for name in names if _is_aside(name)] + [name for _, name in spare]

    def _unlinked(self, host: Host) -> List[str]:
        """The environments that only releases which are too old still need."""
        gone = set(self._old(host))
        links = [
            host.readlink(f"{self.path}/{release}/venv") or ""
            for release in host.list(self.path)
            if release not in gone
        ]
        used = {os.path.basename(link) for link in links}
        names = host.list(self.venvs) if self.venvs else []
        return [n for n in names if n not in used and (_is_aside(n) or not n.startswith("."))]

    def _used(self, host: Host) -> str:
        target = host.readlink(self.current) if self.current else None
        if target is None:
            return ""
        full = os.path.normpath(os.path.join(os.path.dirname(self.current), target))
        inside = os.path.relpath(full, self.path)
        return inside.split("/", 1)[0]


def _take_apart(host: Host, folder: str, name: str) -> None:
    aside = name if _is_aside(name) else ASIDE.format(name)
    if aside != name:
        host.remove(f"{folder}/{aside}")
        host.rename(f"{folder}/{name}", f"{folder}/{aside}")
    host.remove(f"{folder}/{aside}")


def _is_aside(name: str) -> bool:
    before, after = ASIDE.split("{}")
    return name.startswith(before) and name.endswith(after)
