"""Releases that nobody goes back to any more."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, List, Sequence, Tuple

from nodriza.agent.host import ASIDE
from nodriza.resources.base import Resource, State, ids
from nodriza.resources.served import read_record

if TYPE_CHECKING:
    from nodriza.agent.host import Host


@dataclass(frozen=True)
class OldReleases(Resource):
    """The last ``keep`` releases in ``path`` that served, and the one in use; no others.

    ``current`` is the link to the one in use, ``record`` what ``Served`` writes. A release
    that never served is none to go back to: it goes. Names that begin with a dot are
    somebody's unfinished work and are left alone. In ``venvs``, if given, each release has
    its environment, by a link ``venv``, and may share it with others; those that no release
    links to any more go as well.
    """

    path: str
    keep: int = 5
    current: str = ""
    record: str = ""
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
        """Each gets another name before it is taken apart: half a release must not be one."""
        for name in self._old(host):
            _take_apart(host, self.path, name)
        for name in self._unlinked(host):
            _take_apart(host, self.venvs, name)

    def _old(self, host: Host) -> List[str]:
        """The names to remove; the leftovers of a killed run first."""
        names, used = host.list(self.path), self._used(host)
        served = [str(entry["release"]) for entry in read_record(host, self.record, self.current)]
        last = list(dict.fromkeys(name for name in reversed(served) if name != used))
        kept = {used, *[name for name in last if name in names][: self.keep]}
        return [name for name in names if _is_aside(name)] + [
            name
            for name in names
            if name not in kept and not name.startswith(".") and self._is_folder(host, name)
        ]

    def _is_folder(self, host: Host, name: str) -> bool:
        seen = host.stat(f"{self.path}/{name}")
        return seen is not None and seen.type == "directory"

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
