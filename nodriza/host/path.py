"""The way to a folder, without following a link that somebody laid as a trap.

Root writes into folders whose parents may belong to others. A link on the way is
followed only when nobody but root could have made it: it is root's own, in a directory
that is root's own and that others can't write to (so /var/run is, and a link that an
application put into its upload folder is not). On a network file system a link is nobody's:
root on any node that mounts it can make files there that look like root's own (GlusterFS has
no counterpart to root_squash). See symlink(7), openat(2).
"""

from __future__ import annotations

import os
import pwd
import stat
from contextlib import contextmanager
from typing import Iterator, List

MOST_LINKS = 40  # as the kernel's own limit, path_resolution(7)
LOCAL = frozenset(
    {
        # on disks that one machine has
        "bcachefs", "btrfs", "cramfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs",
        "hfsplus", "iso9660", "jffs2", "jfs", "minix", "msdos", "nilfs2", "ntfs3", "reiserfs",
        "romfs", "squashfs", "ubifs", "udf", "vfat", "xfs", "zfs",
        # in memory, and layers over these
        "aufs", "devtmpfs", "hugetlbfs", "overlay", "ramfs", "rootfs", "tmpfs",
        # the kernel's own
        "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts",
        "efivarfs", "fusectl", "mqueue", "nsfs", "proc", "pstore", "rpc_pipefs", "securityfs",
        "selinuxfs", "sysfs", "tracefs",
    }
)  # fmt: skip
"""Types of file systems that this machine's kernel alone writes to, as mountinfo calls them.

All others count as written by somebody else: network file systems (nfs, cifs, ceph, lustre,
9p, virtiofs …), those of disks that machines share (gfs2, ocfs2), and whatever a program serves
through FUSE. A list of those would never be whole: any program can be a FUSE type.
See filesystems(5), the kernel's Documentation/filesystems, and mount.fuse3(8).
"""
ROOT = "/"
"""What is mounted here has all programs of the host, whatever its type (a virtual machine's 9p
or virtiofs, a diskless machine's nfs): who writes to it is root already."""
MOUNTS = "/proc/self/mountinfo"
FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Trap(OSError):
    """A link on the way that is not followed; ``str()`` names it and its owner."""

    def __str__(self) -> str:
        return str(self.args[0])


@contextmanager
def reached(root: str, path: str) -> Iterator[str]:
    """A path to ``path`` that holds on to its folder: nobody can move it away meanwhile.

    ``root`` is trusted. Raises ``Trap``, or ``OSError`` where there is no such folder.
    """
    folder, name = os.path.split(path)
    fd = _open(root or "/", [part for part in folder.split("/") if part])
    try:
        yield f"/proc/self/fd/{fd}/{name}"
    finally:
        os.close(fd)


def is_on_network(fd: int) -> bool:
    """Whether an open file lies on a file system that other machines write to.

    By the mount that it was opened through (proc_pid_fdinfo(5), proc_pid_mountinfo(5)). One
    that is not listed counts as such.
    """
    with open(f"/proc/self/fdinfo/{fd}") as file:
        number = next(line.split()[1] for line in file if line.startswith("mnt_id:"))
    with open(MOUNTS, errors="surrogateescape") as file:
        for line in file:
            fields = line.split()
            if fields[0] == number:
                return fields[4] != ROOT and is_shared(fields[fields.index("-") + 1])
    return True


def is_shared(kind: str) -> bool:
    """Whether others than this machine's kernel write to file systems of a type."""
    return kind not in LOCAL


def _open(root: str, parts: List[str]) -> int:
    links = 0
    at = os.open(root, FLAGS & ~os.O_NOFOLLOW)
    done: List[str] = []
    try:
        while parts:
            part = parts.pop(0)
            if _is_link(at, part):
                links += 1
                target = _trusted_target(at, part, done, links)
                parts = [p for p in target.split("/") if p not in ("", ".")] + parts
                if target.startswith("/"):
                    at, done = _step(at, root, FLAGS & ~os.O_NOFOLLOW), []
                continue
            at = _step(at, part, FLAGS)
            done = done[:-1] if part == ".." else [*done, part]
    except BaseException:
        os.close(at)
        raise
    return at


def _step(at: int, part: str, flags: int) -> int:
    following = os.open(part, flags, dir_fd=at)
    os.close(at)
    return following


def _is_link(at: int, part: str) -> bool:
    try:
        return stat.S_ISLNK(os.lstat(part, dir_fd=at).st_mode)
    except FileNotFoundError:
        return False


def _trusted_target(at: int, part: str, done: List[str], links: int) -> str:
    link, folder = os.lstat(part, dir_fd=at), os.fstat(at)
    path = "/" + "/".join([*done, part])
    if links > MOST_LINKS:
        raise Trap(f"{path}: too many links")
    if is_on_network(at):
        raise Trap(
            f"{path} is a link on a share that other nodes write to: root does not follow it"
        )
    ours = {0, os.geteuid()}
    if link.st_uid not in ours or folder.st_uid not in ours or folder.st_mode & 0o022:
        raise Trap(
            f"{path} is a link that {_user(link.st_uid)} could make: root does not follow it"
        )
    return os.readlink(part, dir_fd=at)


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
