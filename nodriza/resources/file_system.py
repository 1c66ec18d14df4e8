"""A file system of its own for a folder: on a disk, or in an image file."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Dict, List, Sequence

from nodriza.resources.base import Resource, State
from nodriza.resources.mount import mounted_at, resolved

if TYPE_CHECKING:
    from nodriza.host.host import Host

FSTYPE = "ext4"
MIB = 1_048_576
BLANK = 2
"""blkid(8): nothing that it knows is there."""


@dataclass(frozen=True)
class FileSystem(Resource):
    """An ext4 on ``device``, for ``path``; a ``Mount`` puts it there.

    ``device`` is a block device, or with ``size_mb`` an image file, which is made and grown.
    What has any content is never formatted, an image never shrunk, and a folder with files
    that the mount would hide is left as it is.
    """

    device: str
    path: str
    size_mb: int = 0
    STAYS: ClassVar[str] = "its data stay"

    def wanted(self) -> State:
        """Its type; of an image also the size in MiB; and that it would hide nothing."""
        size: State = {"size_mb": self.size_mb} if self.size_mb else {}
        return {"fstype": FSTYPE, "hides": "", **(size or {})}

    @classmethod
    def look(cls, host: Host, many: Sequence[FileSystem]) -> List[State]:
        """blkid(8) reads the device itself: its cache may know what was there before."""
        return [each._look(host) for each in many]

    def _look(self, host: Host) -> State:
        seen = host.stat(resolved(host, self.device))
        hides = self._hidden(host)
        if seen is None:
            return {"fstype": None, "hides": hides, "size_mb": 0}
        return {"fstype": self._fstype(host), "hides": hides, "size_mb": seen.size // MIB}

    def _fstype(self, host: Host) -> str:
        argv = ["blkid", "-p", "-o", "export", self.device]
        done = host.run(argv, check=False, timeout=60)
        if done.exit == BLANK:
            return ""
        lines = (line.partition("=") for line in done.out.splitlines())
        found: Dict[str, str] = {key: value for key, _, value in lines}
        partitions = "a partition table" if "PTTYPE" in found else ""
        return (
            found.get("TYPE")
            or partitions
            or f"something that blkid can't name (exit {done.exit})"
        )

    def _hidden(self, host: Host) -> str:
        """What lies in the folder while nothing is mounted there."""
        names = [] if mounted_at(host, self.path) else host.list(self.path)
        return ", ".join(names[:5]) + (" …" if len(names) > 5 else "")

    def vet(self, host: Host) -> None:
        """Refuse what would lose or hide somebody's files."""
        now = self._look(host) or {}
        if now["hides"]:
            host.refuse(
                f"{self.path} has files already ({now['hides']}), and {self.device} would hide"
                " them. Stop what uses them, move them to another folder, provision, and copy"
                " them back (cp -a)"
            )
        if now["fstype"] is None and not self.size_mb:
            host.refuse(f"there is no {self.device}: attach the disk, or correct share.device")
        if now["fstype"] not in (None, "", FSTYPE):
            host.refuse(
                f"{self.device} has {now['fstype']} on it, and nothing was formatted. If nobody"
                f" needs it: wipefs --all {self.device}"
            )
        if int(now["size_mb"] or 0) > self.size_mb > 0:
            host.refuse(
                f"{self.device} has {now['size_mb']} MiB, and is never made smaller:"
                f" share.size_mb must be at least that"
            )

    def fix(self, host: Host, now: State) -> None:
        """Make the image as large as it shall be, and a file system where there is none."""
        has = now or {}
        if self.size_mb and has["fstype"] is None:
            host.mkdirs(posixpath.dirname(self.device))
            host.write(self.device, b"", mode="0600")
        if self.size_mb:
            host.run(["fallocate", "--length", f"{self.size_mb}MiB", self.device], timeout=3600)
        if has["fstype"] == FSTYPE:
            self._grow(host)
        else:
            # mke2fs(8). 1 % for root, not 5: it is no system disk.
            host.run([f"mkfs.{FSTYPE}", "-q", "-m", "1", self.device], timeout=3600)

    def _grow(self, host: Host) -> None:
        """While it is mounted; losetup(8), resize2fs(8)."""
        words = ["losetup", "--noheadings", "--output", "NAME", "--associated", self.device]
        loops = host.run(words).out.split()
        for loop in loops:
            host.run(["losetup", "--set-capacity", loop])
        if not loops:
            host.run(["e2fsck", "-f", "-p", self.device], check=False, timeout=3600)
        host.run(["resize2fs", *(loops or [self.device])], timeout=3600)
