"""Trees that arrive whole, such as a release of an application."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Dict, List, Sequence

from nodriza.agent import tree
from nodriza.agent.folder import reached
from nodriza.agent.host import HostError
from nodriza.resources.base import Resource, State

if TYPE_CHECKING:
    from nodriza.agent.host import Host

MARKER = ".nodriza-archive"
"""A file in the tree: the SHA-256 of the archive that it came from."""


@dataclass(frozen=True)
class Archive(Resource):
    """A directory with what a tar.gz holds: complete, or not there.

    A tree of another archive is replaced, with
    whatever has been put into it since. Everything is root's; of a file's mode only counts
    who may execute. A path that leads out of the tree is refused: tarfile's own filters
    aren't in every Python 3.9 (PEP 706).
    """

    path: str
    data: bytes = field(repr=False)

    def wanted(self) -> State:
        """The archive that the tree came from."""
        return {"sha256": hashlib.sha256(self.data).hexdigest()}

    @classmethod
    def look(cls, host: Host, many: Sequence[Archive]) -> List[State]:
        """Reads the marker; the files below aren't compared."""
        return [archive._look(host) for archive in many]

    def _look(self, host: Host) -> State:
        seen = host.stat(self.path)
        if seen is None:
            return None
        marker = host.read(f"{self.path}/{MARKER}") if seen.type == "directory" else None
        return {"sha256": None if marker is None else marker.decode("ascii", "replace").strip()}

    def fix(self, host: Host, now: State) -> None:
        """Unpacked beside its place, and renamed."""
        # Held on to by its descriptor: nobody can put a link into the place of the folder.
        with tree.made_whole(host, self.path) as new, reached(host.root, f"{new}/.") as real:
            self._unpack(real)
            digest = hashlib.sha256(self.data).hexdigest()
            with tree.new_file(f"{real}/{MARKER}") as file:
                file.write(f"{digest}\n".encode())
            host.own(new, "root", "root", "0755")

    def _unpack(self, folder: str) -> None:
        try:
            # All of it first: tarfile takes a gzip stream that was cut short for a whole one.
            whole = io.BytesIO(gzip.decompress(self.data))
            with tarfile.open(fileobj=whole, mode="r:") as tar:
                links = self._unpack_members(folder, tar)
        except (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, KeyError) as error:
            raise HostError(f"the archive for {self.path} can't be read: {error}") from error
        # The links come last, so that nothing is ever written through one.
        for name, target in links.items():
            os.symlink(target, f"{folder}/{name}")
        for name in links:
            self._refuse_link_outside(folder, name)

    def _unpack_members(self, folder: str, tar: tarfile.TarFile) -> Dict[str, str]:
        """Directories and files; returns the links that are still to be made."""
        links: Dict[str, str] = {}
        for member in tar:
            name = self._safe_name(member.name)
            if not name:
                continue
            above = name if member.isdir() else os.path.dirname(name)
            os.makedirs(f"{folder}/{above}", 0o755, exist_ok=True)
            if member.isdir():
                continue
            if member.issym():
                links[name] = member.linkname
            elif member.isreg() or member.islnk():  # a hard link becomes a copy
                file = tar.extractfile(member)
                with tree.new_file(f"{folder}/{name}", runs=bool(member.mode & 0o100)) as new:
                    new.write(b"" if file is None else file.read())
            else:
                raise HostError(f"{member.name} in the archive is neither file, folder nor link")
        return links

    def _safe_name(self, name: str) -> str:
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts or parts == [MARKER]:
            raise HostError(f"the archive for {self.path} may not hold {name}")
        return "/".join(parts)

    def _refuse_link_outside(self, folder: str, name: str) -> None:
        """Followed to its end, because each link on the way may climb one step."""
        root = os.path.realpath(folder)
        end = os.path.realpath(f"{root}/{name}")
        target = os.readlink(f"{root}/{name}")
        if target.startswith("/") or os.path.commonpath([root, end]) != root:
            raise HostError(f"the archive for {self.path} has a link outside: {name} -> {target}")
