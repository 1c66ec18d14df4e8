"""What the files of a tree looked like when they were read, so that nobody reads them again.

As git's index does it (git-update-index(1), and "racy git" in its technical documentation): a
file with the same mode, size, inode, time of modification and time of change has the content that
it had. The last one, ctime, is set by the kernel at each change of a file, and by no program: who
puts back the other times changes it (inode(7)). Root can deceive this, with the system's clock or
the bare disk, and can write to the stamps themselves; ``fab drift`` reads each file.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Dict, Tuple

if TYPE_CHECKING:
    from nodriza.host.host import Host

FOLDER = "/var/lib/nodriza/trees"
"""One file for each tree: root's own, on the node's own disk."""
RACY = 100_000_000
"""Nanoseconds. A file that was changed so shortly before it was read may be changed once more at
what the kernel takes for the same time: its clock for files goes on every 10 ms at the most.
"""
Stamp = Tuple[Any, ...]
"""What ``of`` says, and the SHA-256 of the content in hexadecimal digits."""


def of(seen: os.stat_result) -> Stamp:
    """Mode, size, inode, and both times in nanoseconds since the epoch."""
    return seen.st_mode, seen.st_size, seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns


def is_old(seen: os.stat_result, now: int) -> bool:
    """Whether a change after ``now``, in nanoseconds since the epoch, gives it another stamp."""
    return seen.st_ctime_ns < now - RACY


def read(host: Host, path: str) -> Dict[str, Stamp]:
    """Those of the tree ``path``, by the files' names in it; none where it was not read yet."""
    try:
        found = json.loads(host.read(_place(path)) or b"{}")
    except ValueError:
        return {}
    return {name: tuple(stamp) for name, stamp in found.items()}


def write(host: Host, path: str, files: Dict[str, Stamp]) -> None:
    """Remember them. What is remembered of trees that are gone goes."""
    host.mkdirs(FOLDER)
    for name in host.list(FOLDER):
        if host.stat(name.replace("%2F", "/").replace("%25", "%")) is None:
            host.remove(f"{FOLDER}/{name}")
    host.write(_place(path), json.dumps(files), mode="0600")


def _place(path: str) -> str:
    name = path.replace("%", "%25").replace("/", "%2F")
    return f"{FOLDER}/{name}"
