"""Trees of files that come from the controller, such as a release of an application."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, Iterator, List, NamedTuple, Sequence, Tuple

from nodriza.host import tree
from nodriza.host.errors import HostError
from nodriza.host.path import reached
from nodriza.host.room import refuse_full
from nodriza.resources.base import Resource, State

if TYPE_CHECKING:
    from nodriza.host.host import Host

MARKER = ".nodriza-upload"
"""A file in the tree: the SHA-256 of the manifest that it was made from."""
LARGEST = 64 * 1024 * 1024
"""Bytes of a manifest; one of ten thousand files has a fortieth of that."""
RANGES = 5000
"""The most that one question names."""
LINK, PROGRAM, FILE = "120000", "100755", "100644"
"""Modes, in git's words (git-fast-import(1))."""


class Entry(NamedTuple):
    """A row of the manifest."""

    name: str
    mode: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Upload(Resource):
    """A directory with what the manifest ``sha256`` names: complete, or not there.

    ``files`` of them, ``size`` bytes together. The controller has the manifest and the contents
    (``nodriza.source.tree``), and is asked for those that the tree ``like`` does not have. All of
    them are compared with the manifest.

    A tree of another manifest is replaced, with whatever has been put into it since. Everything
    is root's. A name or a link that leads out of the tree is refused.
    """

    path: str
    sha256: str
    files: int = 0
    size: int = 0
    like: str = ""

    def wanted(self) -> State:
        """The manifest that the tree was made from."""
        return {"sha256": self.sha256}

    @classmethod
    def look(cls, host: Host, many: Sequence[Upload]) -> List[State]:
        """Reads the marker; the files beside it aren't compared."""
        return [upload._look(host) for upload in many]

    def _look(self, host: Host) -> State:
        seen = host.stat(self.path)
        if seen is None:
            return None
        marker = host.read(f"{self.path}/{MARKER}") if seen.type == "directory" else None
        return {"sha256": None if marker is None else marker.decode("ascii", "replace").strip()}

    def vet(self, host: Host) -> None:
        """Before anything travels."""
        refuse_full(host, self.path, self.size, self.files)

    def fix(self, host: Host, now: State) -> None:
        """Beside its place. What the former tree has is copied from there, the rest travels."""
        # Held on to by its descriptor: nobody can put a link into the place of the folder.
        release = os.path.dirname(self.path)
        whole = tree.made_whole(host, self.path, used=release)
        with whole as new, reached(host.root, f"{new}/.") as real:
            entries = self._manifest(host)
            filling = _Filling(self, real, entries)
            lacking = filling.copy(host)
            for at in range(0, len(lacking), RANGES):
                filling.take(host, lacking[at : at + RANGES])
            filling.link()
            with tree.new_file(f"{real}/{MARKER}") as file:
                file.write(f"{self.sha256}\n".encode())
            host.own(new, "root", "root", "0755")

    def _manifest(self, host: Host) -> List[Entry]:
        said = bytearray()
        for piece in host.fetch(self.sha256, [(0, 0)]):
            said += piece
            if len(said) > LARGEST:
                host.refuse(f"the list of files for {self.path} is longer than {LARGEST} bytes")
        if hashlib.sha256(said).hexdigest() != self.sha256:
            host.refuse(f"the list of files for {self.path} came damaged")
        entries = [Entry(*row) for row in json.loads(said)]
        for entry in entries:
            parts = entry.name.split("/")
            if not {"", ".", ".."}.isdisjoint(parts) or parts == [MARKER]:
                host.refuse(f"{self.path} may not hold {entry.name}")
            if entry.mode not in (LINK, PROGRAM, FILE):
                host.refuse(f"{entry.name} for {self.path} is neither file nor link")
        return entries


class _Filling:
    """The way from a list of files to a tree in ``folder``, a real path nobody else can enter."""

    def __init__(self, upload: Upload, folder: str, entries: Sequence[Entry]) -> None:
        self.upload = upload
        self.folder = folder
        self.entries = entries
        self.links: Dict[str, str] = {}
        for above in sorted({os.path.dirname(entry.name) for entry in entries}):
            os.makedirs(f"{folder}/{above}", 0o755, exist_ok=True)

    def copy(self, host: Host) -> List[Tuple[int, int]]:
        """What the former tree has; returns the ranges of parts that are still lacking."""
        lacking: List[Tuple[int, int]] = []
        with contextlib.ExitStack() as held:
            former = ""
            if self.upload.like:
                with contextlib.suppress(OSError):  # none yet, or one that root does not trust
                    former = held.enter_context(reached(host.root, f"{self.upload.like}/."))
            had = [bool(former) and self._copied(former, entry) for entry in self.entries]
        for number, there in enumerate(had, 1):
            if there:
                continue
            if lacking and lacking[-1][1] == number - 1:
                lacking[-1] = lacking[-1][0], number
            else:
                lacking.append((number, number))
        return lacking

    def take(self, host: Host, parts: Sequence[Tuple[int, int]]) -> None:
        """The contents of some parts, from the controller."""
        stream = _Stream(host.fetch(self.upload.sha256, parts))
        for first, last in parts:
            for entry in self.entries[first - 1 : last]:
                if not self._written(entry, stream.read(entry.size)):
                    raise HostError(f"{entry.name} for {self.upload.path} came damaged")
        stream.end()

    def link(self) -> None:
        """The links come last, so that nothing is ever written through one."""
        for name, target in self.links.items():
            os.symlink(target, f"{self.folder}/{name}")
        root = os.path.realpath(self.folder)
        for name, target in self.links.items():
            # Followed to its end, because each link on the way may climb one step.
            end = os.path.realpath(f"{root}/{name}")
            if target.startswith("/") or os.path.commonpath([root, end]) != root:
                raise HostError(f"{self.upload.path} has a link outside: {name} -> {target}")

    def _copied(self, former: str, entry: Entry) -> bool:
        path = f"{former}/{entry.name}"
        try:
            if entry.mode == LINK:
                return self._written(entry, [os.fsencode(os.readlink(path))])
            seen = os.lstat(path)
            if not stat.S_ISREG(seen.st_mode) or seen.st_size != entry.size:
                return False
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return False
        with os.fdopen(fd, "rb", buffering=0) as file:
            return self._written(entry, iter(lambda: file.read(1024 * 1024), b""))

    def _written(self, entry: Entry, pieces: Iterator[bytes] | List[bytes]) -> bool:
        """Whether it is what the manifest says; else nothing of it stays."""
        path, found = f"{self.folder}/{entry.name}", hashlib.sha256()
        if entry.mode == LINK:
            target = b"".join(pieces)
            self.links[entry.name] = os.fsdecode(target)
            return hashlib.sha256(target).hexdigest() == entry.sha256
        with tree.new_file(path, runs=entry.mode == PROGRAM) as file:
            for piece in pieces:
                found.update(piece)
                file.write(piece)
        if found.hexdigest() != entry.sha256:
            os.unlink(path)
            return False
        return True


class _Stream:
    """Cuts what comes in pieces of any length into what is asked for."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = filter(None, pieces)
        self._rest = b""

    def read(self, size: int) -> Iterator[bytes]:
        """``size`` bytes, in pieces. Raises ``HostError`` where fewer come."""
        while size:
            piece, self._rest = self._rest or next(self._pieces, b""), b""
            if not piece:
                raise HostError("the source ended too early")
            piece, self._rest = piece[:size], piece[size:]
            size -= len(piece)
            yield piece

    def end(self) -> None:
        """Nothing more is on its way when the next question is asked."""
        if self._rest or any(True for _ in self._pieces):
            raise HostError("more of the source came than was asked for")
