"""Trees that nobody has changed since they were finished."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, List, Sequence, Tuple

from nodriza.host import tree
from nodriza.resources.base import Resource, State
from nodriza.resources.sealed import read_seal
from nodriza.resources.venv import made_for, tag

if TYPE_CHECKING:
    from nodriza.host.host import Host


@dataclass(frozen=True)
class Intact(Resource):
    """The tree ``path`` holds what its ``seal`` says, or is not there (``Sealed``).

    It stands before what makes the tree. One that somebody has changed loses its seal and its
    ``markers``, files in it that say of what it was made. So it is made anew by what follows,
    beside its place: it may be in use. ``parts`` are the names in it that are made so; any other
    goes at once, for nothing runs there. With ``python`` it is an environment, and one that was
    made for another Python than this host's is none (the host's Debian is another release than it
    was). ``thorough`` as for ``tree.digest``.
    """

    path: str
    seal: str
    markers: Tuple[str, ...] = ()
    parts: Tuple[str, ...] = ()
    python: str = ""
    thorough: bool = False

    ALONE: ClassVar[bool] = True

    def wanted(self) -> State:
        """Unchanged."""
        return {"intact": True}

    @classmethod
    def look(cls, host: Host, many: Sequence[Intact]) -> List[State]:
        """Looks at every file of the tree."""
        return [{"intact": one._is_intact(host)} for one in many]

    def _is_intact(self, host: Host) -> bool:
        seal = read_seal(host, self.seal)
        if seal is None:
            return True
        if self.python and made_for(host, self.path) not in ("", tag(host, self.python)):
            return False
        found = tree.digest(host, self.path, thorough=self.thorough)
        return host.stat(self.path) is None or found == seal["tree"]

    def fix(self, host: Host, now: State) -> None:
        """The seal last: without it nobody would look at the tree again."""
        if not _is_folder(host, self.path):
            host.remove(self.path)
        for name in host.list(self.path) if self.parts else ():
            if name not in self.parts:
                host.remove(f"{self.path}/{name}")
        for marker in self.markers:
            path = f"{self.path}/{marker}"
            if _is_folder(host, os.path.dirname(path)):  # a link there may lead anywhere
                host.remove(path)
        host.remove(self.seal)


def _is_folder(host: Host, path: str) -> bool:
    seen = host.stat(path)
    return seen is not None and seen.type == "directory"
