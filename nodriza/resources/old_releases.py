"""Releases that nobody goes back to any more."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, List, Optional, Sequence, Set, Tuple

from nodriza.host.at_work import at_work
from nodriza.host.files import ASIDE, is_temporary
from nodriza.resources.base import Resource, State, ids

if TYPE_CHECKING:
    from nodriza.host.host import Host


@dataclass(frozen=True)
class OldReleases(Resource):
    """Of the folders in ``path`` those of ``kept``, and the one that ``current`` links to.

    One that a process of this node works in stays as long as that does: a worker of Celery that
    ends a long task, a worker of uWSGI that still answers. What a run that was
    killed was just writing goes: no other is at work on this host. Other names that begin with a
    dot stay.

    In ``venvs`` each release has its environment, by a link ``venv``, and may share it with
    others; those that no release links to any more go as well. So do the packs in ``packs``
    (removed by ``user``, who wrote them) and the seals in ``seals`` (``Sealed``).

    With ``unsealed`` only those go that have no seal: what a build left that failed. No node was
    ever told of one. ``venv`` is an environment that is about to be used.
    """

    path: str
    kept: Tuple[str, ...]
    current: str
    venvs: str
    packs: str = ""
    seals: str = ""
    user: Optional[str] = None
    unsealed: bool = False
    venv: str = ""
    on_change: Tuple[Any, ...] = ()

    ALONE: ClassVar[bool] = True  # a link switched earlier in the run must count

    def wanted(self) -> State:
        """None that is too old."""
        return {"old": 0}

    def __post_init__(self) -> None:
        object.__setattr__(self, "kept", tuple(self.kept))
        object.__setattr__(self, "on_change", ids(self.on_change))

    @classmethod
    def look(cls, host: Host, many: Sequence[OldReleases]) -> List[State]:
        """Counts them."""
        return [
            {"old": sum(map(len, one._too_old(host))) + len(one._half_written(host))}
            for one in many
        ]

    def fix(self, host: Host, now: State) -> None:
        """Each gets another name before it is taken apart: half a release must not be one."""
        # One that ends while others are taken away makes no more to do in this run.
        host.working = {place: at_work(host, place) for place in (self.path, self.venvs)}
        releases, venvs, packs, seals = self._too_old(host)
        if packs:
            paths = [host.at(f"{self.packs}/{name}") for name in packs]
            host.run(["rm", "--force", "--", *paths], user=self.user)
        for name in seals:
            host.remove(f"{self.seals}/{name}")
        for path in self._half_written(host):
            host.remove(path)
        for name in releases:
            _take_apart(host, self.path, name)
        for name in venvs:
            _take_apart(host, self.venvs, name)

    def _half_written(self, host: Host) -> List[str]:
        """Also of a release or an environment that nobody wants any more."""
        folders = (self.path, self.venvs)
        return [f"{at}/{name}" for at in folders for name in filter(is_temporary, host.list(at))]

    def _too_old(self, host: Host) -> Tuple[List[str], List[str], List[str], List[str]]:
        """Releases, environments, packs and seals."""
        kept = {*self.kept, os.path.basename((host.readlink(self.current) or "").rstrip("/"))}
        there = _folders(host, self.path)
        seals = host.list(self.seals) if self.unsealed else []
        sealed = {name.partition(".json")[0] for name in seals}
        kept |= sealed
        if not kept.issuperset(there):
            kept |= at_work(host, self.path) | host.working.get(self.path, set())
        stay = [name for name in there if name in kept or _is_hidden(name)]
        links = [host.readlink(f"{self.path}/{name}/venv") or "" for name in stay]
        used = {self.venv, *(os.path.basename(link) for link in links)}
        if not used.issuperset(_folders(host, self.venvs)):
            used |= at_work(host, self.venvs) | host.working.get(self.venvs, set())
        venvs = [n for n in _folders(host, self.venvs) if n not in used and not _is_hidden(n)]
        names = {*stay, *(f"venv-{name}" for name in used)}
        names |= sealed - {f"venv-{name}" for name in venvs}
        return (
            [name for name in there if name not in stay],
            venvs,
            _files(host, self.packs, ".tar", names),
            _files(host, self.seals, ".json", names),
        )


def _folders(host: Host, path: str) -> List[str]:
    seen = ((name, host.stat(f"{path}/{name}")) for name in host.list(path))
    return [name for name, stat in seen if stat is not None and stat.type == "directory"]


def _files(host: Host, path: str, ending: str, names: Set[str]) -> List[str]:
    """The files of ``path`` that belong to no name; half-written ones as well."""
    found = host.list(path) if path else []
    return [n for n in found if n.partition(ending)[0] not in names or not n.endswith(ending)]


def _is_hidden(name: str) -> bool:
    return name.startswith(".") and not _is_aside(name)


def _take_apart(host: Host, folder: str, name: str) -> None:
    aside = name if _is_aside(name) else ASIDE.format(name)
    if aside != name:
        host.remove(f"{folder}/{aside}")
        host.rename(f"{folder}/{name}", f"{folder}/{aside}")
    host.remove(f"{folder}/{aside}")


def _is_aside(name: str) -> bool:
    before, after = ASIDE.split("{}")
    return name.startswith(before) and name.endswith(after)
