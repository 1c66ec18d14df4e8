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

from nodriza.agent.host import ASIDE, TEMPORARY, HostError
from nodriza.resources.base import Resource, State

if TYPE_CHECKING:
    from nodriza.agent.host import Host

MARKER = ".nodriza-archive"
"""A file in the tree: the SHA-256 of the archive that it came from."""


@dataclass(frozen=True)
class Archive(Resource):
    """A directory with what a tar.gz holds: complete, or not there.

    Unpacked beside its place and renamed. A tree of another archive is replaced, with
    whatever has been put into it since. Everything belongs to ``owner`` and ``group``,
    directories are 0755, and of a file's mode only rwxr-xr-x counts. A path that leads
    out of the tree is refused: tarfile's own filters aren't in every Python 3.9 (PEP 706).
    """

    path: str
    data: bytes = field(repr=False)
    owner: str = "root"
    group: str = "root"

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
        """Between the two renames there is no tree, for an instant; never half of one."""
        folder, name = os.path.split(self.path.rstrip("/"))
        new, old = (f"{folder}/{pattern.format(name)}" for pattern in (TEMPORARY, ASIDE))
        host.remove(new)
        try:
            host.mkdir(new)
            self._unpack(host, new)
        except BaseException:
            host.remove(new)
            raise
        if now is not None:
            host.remove(old)
            host.rename(self.path, old)
        host.rename(new, self.path)
        host.remove(old)

    def _unpack(self, host: Host, folder: str) -> None:
        try:
            # All of it first: tarfile takes a gzip stream that was cut short for a whole one.
            whole = io.BytesIO(gzip.decompress(self.data))
            with tarfile.open(fileobj=whole, mode="r:") as tar:
                links = self._unpack_members(host, folder, tar)
        except (tarfile.TarError, zlib.error, gzip.BadGzipFile, EOFError, KeyError) as error:
            raise HostError(f"the archive for {self.path} can't be read: {error}") from error
        # The links come last, so that nothing is ever written through one.
        for name, target in links.items():
            host.symlink(f"{folder}/{name}", target, owner=self.owner, group=self.group)
        for name in links:
            self._refuse_link_outside(host, folder, name)
        digest = hashlib.sha256(self.data).hexdigest()
        host.write(f"{folder}/{MARKER}", digest + "\n", owner=self.owner, group=self.group)
        host.own(folder, self.owner, self.group, "0755")

    def _unpack_members(self, host: Host, folder: str, tar: tarfile.TarFile) -> Dict[str, str]:
        """Directories and files; returns the links that are still to be made."""
        links: Dict[str, str] = {}
        for member in tar:
            name = self._safe_name(member.name)
            if not name:
                continue
            parents = name.split("/")[: None if member.isdir() else -1]
            self._make_folders(host, folder, parents)
            if member.isdir():
                continue
            if member.issym():
                links[name] = member.linkname
            elif member.isreg() or member.islnk():  # a hard link becomes a copy
                file = tar.extractfile(member)
                content = b"" if file is None else file.read()
                to, mode = f"{folder}/{name}", f"{member.mode & 0o755:04o}"
                host.write(to, content, owner=self.owner, group=self.group, mode=mode)
            else:
                raise HostError(f"{member.name} in the archive is neither file, folder nor link")
        return links

    def _make_folders(self, host: Host, folder: str, names: Sequence[str]) -> None:
        for name in names:
            folder = f"{folder}/{name}"
            if host.stat(folder) is None:
                host.mkdir(folder)
                host.own(folder, self.owner, self.group, "0755")

    def _safe_name(self, name: str) -> str:
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts or parts == [MARKER]:
            raise HostError(f"the archive for {self.path} may not hold {name}")
        return "/".join(parts)

    def _refuse_link_outside(self, host: Host, folder: str, name: str) -> None:
        """Followed to its end, because each link on the way may climb one step."""
        root = os.path.realpath(host.at(folder))
        end = os.path.realpath(f"{root}/{name}")
        target = os.readlink(f"{root}/{name}")
        if target.startswith("/") or os.path.commonpath([root, end]) != root:
            raise HostError(f"the archive for {self.path} has a link outside: {name} -> {target}")
