"""Finished trees: what is in them is written down, and they are packed for other nodes."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Dict, List, Optional, Sequence

from nodriza.host import stamps, tree
from nodriza.host.files import is_temporary
from nodriza.host.room import refuse_full
from nodriza.resources.base import Resource, State

if TYPE_CHECKING:
    from nodriza.host.host import Host

PACKING = 3600
"""Seconds for a pack to be written to a share, or read from it."""
PACK = 'set -o pipefail; tar --create --directory "$1" -- "$2" | python3 -I -c "$4" "$3"'
"""For bash: a folder, the name of a tree in it, a place, and what follows."""
WRITE = """
import hashlib, sys

found, size = hashlib.sha256(), 0
with open(sys.argv[1], "wb", buffering=131072) as pack:
    while piece := sys.stdin.buffer.read(131072):
        found.update(piece)
        size += pack.write(piece)
print(found.hexdigest(), size)
"""
"""128 KiB in one write, the most that FUSE takes from a program: on a share each is a round trip.
By tar's own 10 KiB a pack on GlusterFS takes five times as much of the processors. The sum is made
on the way: nobody has to read a pack that has just been written.
"""


@dataclass(frozen=True)
class Sealed(Resource):
    """The file ``seal`` says what the tree ``path`` holds; the tar ``pack`` has all of it.

    The seal is root's, and on no share: it is what copies are compared with. The pack lies
    on a share that other nodes can write, so ``user``, who has no rights there that matter,
    writes it. Nobody believes a pack whose SHA-256 is not that of the seal. Without ``pack``
    the tree is not packed.
    """

    path: str
    seal: str
    pack: str = ""
    user: Optional[str] = None

    ALONE: ClassVar[bool] = True

    def wanted(self) -> State:
        """Both are there, and about this tree."""
        return {"sealed": True, "packed": True}

    @classmethod
    def look(cls, host: Host, many: Sequence[Sealed]) -> List[State]:
        """The pack is read where it may have changed. The tree is ``Intact``'s to compare."""
        return [one._look(host) for one in many]

    def _look(self, host: Host) -> State:
        if host.stat(self.path) is None:
            return None
        seal = read_seal(host, self.seal)
        packed = not self.pack or (seal is not None and self._is_packed(host, seal["sha256"]))
        return {"sealed": seal is not None, "packed": packed}

    def vet(self, host: Host) -> None:
        """The pack is as large as the tree."""
        if self.pack and host.stat(self.path) is not None:
            refuse_full(host, self.pack, tree.extent(host, self.path)[0])

    def fix(self, host: Host, now: State) -> None:
        """The pack first, so that a run that was cut short does both again."""
        for name in filter(is_temporary, host.list(self.path)):
            host.remove(f"{self.path}/{name}")  # what a run that was killed left
        content = tree.content(host, self.path)
        if content is None:
            host.refuse(f"{self.path} is not there")
        found = content.digest
        seal = read_seal(host, self.seal)
        if seal is not None and seal["tree"] != found:
            host.refuse(f"{self.path} has been changed since it was made: deploy it anew")
        # What the seal is about has to survive a power cut that the seal survives.
        tree.flush(host, self.path)
        stamps.write(host, self.path, content.files)
        packed = self._pack(host) if self.pack else {"sha256": "", "size": 0}
        host.mkdirs(os.path.dirname(self.seal))
        number = seal["number"] if seal else _next_number(host, os.path.dirname(self.seal))
        text = json.dumps({"tree": found, **packed, "number": number})
        host.write(self.seal, text + "\n", mode="0600")

    def _pack(self, host: Host) -> Dict[str, Any]:
        folder, name = os.path.split(host.at(self.path))
        pack = host.at(self.pack)
        new = f"{pack}.new"
        argv = ["bash", "-c", PACK, "bash", folder, name, new, WRITE]
        sha256, size = host.run(argv, user=self.user, timeout=PACKING).out.split()
        host.run(["mv", "--no-target-directory", new, pack], user=self.user)
        stamps.write(host, self.pack, {"": (*stamps.of(os.lstat(pack)), sha256)})
        return {"sha256": sha256, "size": int(size)}

    def _is_packed(self, host: Host, sha256: str) -> bool:
        """By its stamp, or else it is read: who can deceive this can take it away as well. A node
        that finds it to be another one sees to it that it is read (``Copy``).
        """
        there = host.stat(self.pack) and stamps.of(os.lstat(host.at(self.pack)))
        known = stamps.read(host, self.pack).get("")
        return known == (*(there or ()), sha256) or self._sum(host) == sha256

    def _sum(self, host: Host) -> str:
        """Of the pack, read as ``user``: empty where there is none."""
        argv = ["sha256sum", "--", host.at(self.pack)]
        done = host.run(argv, user=self.user, check=False, timeout=PACKING)
        return "" if done.exit else done.out.lstrip("\\").partition(" ")[0]


def read_seal(host: Host, path: str) -> Optional[Dict[str, Any]]:
    """``tree`` (``nodriza.host.tree``), ``sha256`` and ``size`` of the pack, and ``number``: the
    later of two seals has the higher one, whatever the clock said. Or ``None``.
    """
    data = host.read(path)
    return None if data is None else json.loads(data)


def _next_number(host: Host, folder: str) -> int:
    seals = (
        read_seal(host, f"{folder}/{name}") for name in host.list(folder) if name.endswith(".json")
    )
    return 1 + max((seal["number"] for seal in seals if seal), default=0)
