"""Trees that another node has made, on this node's own disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, List, Optional, Sequence

from nodriza.host import stamps, tree
from nodriza.host.errors import HostError
from nodriza.host.files import TEMPORARY
from nodriza.host.room import refuse_full
from nodriza.resources.base import Resource, State

if TYPE_CHECKING:
    from nodriza.host.host import Host

UNPACKING = 3600  # seconds


@dataclass(frozen=True)
class Copy(Resource):
    """``path`` holds what ``tree`` says, out of the tar ``pack`` (``Sealed`` on the other node).

    The pack lies where others can write. So it is first copied to the node's own disk,
    ``size`` bytes and no more, and not unpacked unless its SHA-256 is ``sha256``. All of it is
    root's: complete, or not there. ``user`` is who wrote the pack; the one who made it is made to
    read it where it is another one. ``thorough`` as for ``tree.digest``.
    """

    path: str
    tree: str
    pack: str = ""
    sha256: str = ""
    size: int = 0
    user: Optional[str] = None
    thorough: bool = False

    FROM_ANOTHER: ClassVar[bool] = True

    @property
    def ahead(self) -> bool:
        """Nobody runs it yet."""
        return True

    def wanted(self) -> State:
        """What the other node has."""
        return {"tree": self.tree}

    @classmethod
    def look(cls, host: Host, many: Sequence[Copy]) -> List[State]:
        """A copy that somebody has changed is none."""
        found = [tree.digest(host, one.path, thorough=one.thorough) for one in many]
        return [None if each is None else {"tree": each} for each in found]

    def vet(self, host: Host) -> None:
        """The pack and what is in it are there at the same time."""
        refuse_full(host, self.path, 2 * self.size)

    def fix(self, host: Host, now: State) -> None:
        """Unpacked beside its place, compared and renamed."""
        folder, name = os.path.split(self.path.rstrip("/"))
        pack = f"{folder}/{TEMPORARY.format(name + '.tar')}"
        with tree.made_whole(host, self.path, used=self.path) as new:
            try:
                self._fetch(host, pack)
                argv = ["tar", "--extract", "--file", host.at(pack), "--directory", host.at(new)]
                options = ["--strip-components=1", "--no-same-owner", "--preserve-permissions"]
                host.run([*argv, *options], timeout=UNPACKING)
            finally:
                host.remove(pack)
            content = tree.content(host, new)
            if content is None or content.digest != self.tree:
                host.refuse(f"{self.pack} holds something else than {self.path} shall be")
            host.own(new, "root", "root", "0755")
        stamps.write(host, self.path, content.files)

    def _fetch(self, host: Host, to: str) -> None:
        try:
            host.copy(self.pack, to, sha256=self.sha256, size=self.size)
        except HostError:
            if self.user:  # who made it looks at its times, and then reads it
                argv = ["touch", "--no-create", "--no-dereference", "--", host.at(self.pack)]
                host.run(argv, user=self.user, check=False)
            raise
