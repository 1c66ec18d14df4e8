"""Contents that are read once: what was read is what travels, however large it is.

They lie in a file without a name, which goes with the process, in /var/tmp: file-hierarchy(7)
has that for what is large, and /tmp is often memory. TMPDIR names another place.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nodriza.errors import SourceError

PIECE = 1024 * 1024
FOLDER = "/var/tmp"  # noqa: S108  the file in it has no name that somebody could take


@dataclass(frozen=True)
class Content:
    """``size`` bytes of a spool, from ``offset`` on, and their SHA-256."""

    spool: Spool
    offset: int
    size: int
    sha256: str

    def pieces(self) -> Iterator[bytes]:
        """All of it, a mebibyte at a time."""
        at, end = self.offset, self.offset + self.size
        while at < end:
            piece = self.spool.read(at, min(PIECE, end - at))
            at += len(piece)
            yield piece


class Spool:
    """Contents, one after the other. Reading is safe from every thread."""

    def __init__(self) -> None:
        self.folder = os.environ.get("TMPDIR") or (FOLDER if Path(FOLDER).is_dir() else None)
        self.size = 0
        try:
            with tempfile.TemporaryFile(dir=self.folder) as file:
                self._fd = os.dup(file.fileno())
        except OSError as error:
            raise self._no_room(error) from None
        weakref.finalize(self, os.close, self._fd)

    def read(self, offset: int, size: int) -> bytes:
        """Bytes that were added."""
        return os.pread(self._fd, size, offset)

    def add(self, pieces: Iterable[bytes]) -> Content:
        """Keep what ``pieces`` are together. Raises ``SourceError`` where there is no room."""
        offset, found = self.size, hashlib.sha256()
        for piece in pieces:
            found.update(piece)
            left = memoryview(piece)
            while left:
                try:
                    written = os.pwrite(self._fd, left, self.size)
                except OSError as error:
                    raise self._no_room(error) from None
                self.size += written
                left = left[written:]
        return Content(self, offset, self.size - offset, found.hexdigest())

    def _no_room(self, error: OSError) -> SourceError:
        return SourceError(
            f"the source can't be kept here while it travels: {error.strerror}, after"
            f" {self.size >> 20} MB",
            where=self.folder or "",
            kept="nothing was sent",
            do="make room there, or name a folder that has it in TMPDIR",
        )

    def add_file(self, path: Path, name: str) -> tuple[Content, os.stat_result]:
        """Keep a file, or where a link leads, and what it was like: as it was at one moment.

        Raises ``SourceError`` for one that is not there any more, or changes meanwhile.
        """
        try:
            before = path.lstat()
            if stat.S_ISLNK(before.st_mode):
                return self.add([os.fsencode(path.readlink())]), before
            if not stat.S_ISREG(before.st_mode):
                raise _unsteady(path, f"{name} is no file")
            with path.open("rb", buffering=0) as file:
                content = self.add(_bounded(file.fileno(), before.st_size))
                after = os.fstat(file.fileno())
        except OSError as error:
            raise _unsteady(path, f"{name} can't be read: {error.strerror}") from None
        if content.size != before.st_size or _version(before) != _version(after):
            raise _unsteady(path, f"{name} changed while it was read")
        return content, before


def _bounded(fd: int, size: int) -> Iterator[bytes]:
    """One byte more than it should have, and no more: a file may grow faster than it is read."""
    left = size + 1
    while left > 0 and (piece := os.read(fd, min(left, PIECE))):
        left -= len(piece)
        yield piece


def _version(seen: os.stat_result) -> tuple[int, ...]:
    return seen.st_ino, seen.st_dev, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns


def _unsteady(path: Path, what: str) -> SourceError:
    return SourceError(
        what,
        where=str(path),
        kept="nothing was sent",
        do="the same again once nobody writes there, or --ref, which takes what is committed",
    )
