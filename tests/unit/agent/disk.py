"""A disk that has forgotten, after a power cut, all that nobody flushed.

The files are real. Only fsync(2) is watched, since nothing else says what survives: a
file has then the content and the mode of its last flush, and a folder the names of its own.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import NamedTuple

NOT_ITS_OWN = "systemd.json"  # what is pretended, and not on the disk


class Entry(NamedTuple):
    """A name in a folder: what it stands for, and where it points if it is a link."""

    inode: int
    mode: int
    target: str


class Disk:
    """What is below ``root`` now has been there for long."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._files: dict[int, tuple[bytes, int]] = {}
        self._folders: dict[int, dict[str, Entry]] = {}
        self._held: list[int] = []
        for folder, _, names in os.walk(root):
            for path in (folder, *(os.path.join(folder, name) for name in names)):
                if not os.path.islink(path):
                    fd = os.open(path, os.O_RDONLY)
                    self.fsync(fd)
                    os.close(fd)

    def fsync(self, fd: int) -> None:
        """In the place of ``os.fsync``."""
        seen = os.fstat(fd)
        self._held.append(os.dup(fd))  # or its number would be given to another file
        if stat.S_ISDIR(seen.st_mode):
            self._folders[seen.st_ino] = _entries(f"/proc/self/fd/{fd}")
        else:
            content = Path(f"/proc/self/fd/{fd}").read_bytes()
            self._files[seen.st_ino] = content, seen.st_mode

    def cut(self, *, names_first: bool) -> None:
        """The power goes.

        ``names_first``: the file system had written down all names by then, of files whose
        content it had not. That is allowed as well, and how files become empty.
        """
        tree = self._tree(self.root, names_first)
        kept = self.root / NOT_ITS_OWN
        units = kept.read_bytes() if kept.exists() else None
        for path in self.root.iterdir():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        for path, (content, entry) in tree.items():
            if content is None:
                path.mkdir(mode=0o700)
            elif stat.S_ISLNK(entry.mode):
                path.symlink_to(entry.target)
            else:
                path.write_bytes(content)
                path.chmod(stat.S_IMODE(entry.mode))
        if units is not None:
            kept.write_bytes(units)
        for fd in self._held:
            os.close(fd)

    def _tree(self, folder: Path, names_first: bool) -> dict[Path, tuple[bytes | None, Entry]]:
        """Path to content, parents first; a folder has none."""
        flushed = self._folders.get(folder.stat().st_ino, {}) if folder.exists() else {}
        tree: dict[Path, tuple[bytes | None, Entry]] = {}
        for name, entry in (_entries(str(folder)) if names_first else flushed).items():
            path = folder / name
            if name == NOT_ITS_OWN:
                continue
            if stat.S_ISDIR(entry.mode):
                tree[path] = None, entry
                tree.update(self._tree(path, names_first))
            else:
                content, mode = self._files.get(entry.inode, (b"", entry.mode))
                tree[path] = content, entry._replace(mode=mode)
        return tree


def _entries(folder: str) -> dict[str, Entry]:
    found = {}
    for each in os.scandir(folder):
        seen = each.stat(follow_symlinks=False)
        target = os.readlink(each.path) if each.is_symlink() else ""
        found[each.name] = Entry(seen.st_ino, seen.st_mode, target)
    return found
