"""Room on a disk, before something large is written to it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodriza.host.host import Host

RESERVE = 64 * 1024 * 1024
"""Bytes that stay free: databases and logs are on the same disk."""
BLOCK = 4096
"""Bytes that the smallest file takes, and the most that any wastes at its end."""


def refuse_full(host: Host, path: str, size: int, files: int = 1) -> None:
    """Raise ``HostError`` where ``files`` of ``size`` bytes together have no room.

    ``path`` is what they will be, or be in; the disk is that of the nearest folder that is there.
    """
    folder = path
    while folder != "/" and not os.path.isdir(host.at(folder)):
        folder = os.path.dirname(folder)
    disk = os.statvfs(host.at(folder))
    free, needed = disk.f_bavail * disk.f_frsize, size + files * BLOCK + RESERVE
    if free < needed:
        host.refuse(
            f"no room for {path}: {needed >> 20} MB are needed on the disk of {folder}, and"
            f" {max(free, 0) >> 20} MB are free"
        )
    if disk.f_files and disk.f_favail < files:  # btrfs counts none
        host.refuse(
            f"no room for {path}: {files} files are to come to the disk of {folder}, which can"
            f" hold {disk.f_favail} more (its inodes: df -i)"
        )
