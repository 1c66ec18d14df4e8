"""What a tree of files holds, in one number."""

from __future__ import annotations

import hashlib
import itertools
import os
import stat
import time
from contextlib import contextmanager
from operator import attrgetter
from typing import TYPE_CHECKING, BinaryIO, Dict, Iterator, List, NamedTuple, Optional, Tuple

from nodriza.host import stamps
from nodriza.host.files import ASIDE, TEMPORARY

if TYPE_CHECKING:
    from nodriza.host.host import Host

FLUSHING = 3600
"""Seconds for a tree to reach the disk."""


@contextmanager
def made_whole(host: Host, path: str, *, used: str = "") -> Iterator[str]:
    """An empty folder beside ``path``, root's alone; filled, it takes the place of ``path``.

    Complete, or not there: it is flushed in one go before it takes its place, and gone if anything
    goes wrong. (A flush of each of ten thousand files takes half a minute.) What was at ``path``
    is there until then, and goes. ``used`` is a release or an environment that ``path`` is, or is
    in: processes may be at work in what was there, so that is kept aside (``OldReleases``).
    The folder that it is in is made as well, and goes with it if anything goes wrong.
    """
    folder, name = os.path.split(path.rstrip("/"))
    new = f"{folder}/{TEMPORARY.format(name)}"
    ours = new if os.path.isdir(host.at(folder)) else folder
    host.remove(new)
    try:
        host.mkdirs(folder)
        host.mkdir(new)
        yield new
        flush(host, new)
    except BaseException:
        host.remove(ours)
        raise
    if host.stat(path) is None:
        host.rename(new, path)
        return
    host.exchange(new, path)
    if used:
        aside = _aside(host, path, used)
        host.mkdirs(os.path.dirname(aside))
        host.rename(new, aside)
    else:
        host.remove(new)


def _aside(host: Host, path: str, used: str) -> str:
    """Where nothing is yet, beside ``used``."""
    folder, name = os.path.split(used)
    places = (f"{folder}/{ASIDE.format(f'{name}.{number}')}" for number in itertools.count(1))
    return next(place for each in places if host.stat(place := each + path[len(used) :]) is None)


@contextmanager
def new_file(path: str, *, runs: bool = False) -> Iterator[BinaryIO]:
    """Write a file into a tree that nobody else can enter yet, to be flushed with all of it.

    ``path`` is a real one. Raises ``FileExistsError`` where anything is.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        os.fchmod(file.fileno(), 0o755 if runs else 0o644)
        yield file


def flush(host: Host, path: str) -> None:
    """All of the file system that ``path`` is on reaches the disk (syncfs(2))."""
    host.run(["sync", "--file-system", host.at(path)], timeout=FLUSHING)


def digest(host: Host, path: str, *, thorough: bool = False) -> Optional[str]:
    """That of its ``content``, or ``None``. ``thorough``: each file is read.

    Else a file counts as it was when it was last read and has not been changed since
    (``nodriza.host.stamps``).
    """
    found = content(host, path, {} if thorough else stamps.read(host, path))
    return found and found.digest


class Content(NamedTuple):
    """What a tree holds. ``files``: of each one its stamp when it was read."""

    digest: str
    files: Dict[str, stamps.Stamp]


def content(
    host: Host, path: str, known: Optional[Dict[str, stamps.Stamp]] = None
) -> Optional[Content]:
    """The SHA-256 of a directory: names, kinds, who may execute, contents, where links point.

    Owners and times are no part of it. ``None`` where no directory is. Two trees with the same
    digest are the same to whoever runs what is in them.
    """
    root = host.at(path)
    if not os.path.isdir(root) or os.path.islink(root):
        return None
    reading = _Reading(known or {})
    reading.walk(os.fsencode(root), b"")
    return Content(reading.found.hexdigest(), reading.files)


def extent(host: Host, path: str) -> Tuple[int, int]:
    """Bytes of a tree's files as tar(1) packs them, in blocks with a header each; and how many
    files, folders and links there are.
    """
    size, number = 0, 0
    for folder, folders, files in os.walk(os.fsencode(host.at(path))):
        for name in (*folders, *files):
            seen = os.lstat(os.path.join(folder, name))
            size += 1024 + (seen.st_size if stat.S_ISREG(seen.st_mode) else 0)
            number += 1
    return size, number


def take(host: Host, path: str) -> None:
    """Make a tree root's own, that a user made who has no process any more.

    Nobody but root can write in it afterwards. Raises ``HostError`` for what is no file, folder
    or link.
    """
    root = host.at(path)
    host.own(path, "root", "root", "0700")  # nobody comes in while the rest changes hands
    for folder, folders, files in os.walk(os.fsencode(root)):
        for name in (*folders, *files):
            inside = os.path.join(folder, name)
            seen = os.lstat(inside)
            if not (stat.S_ISREG(seen.st_mode) or stat.S_ISDIR(seen.st_mode)):
                if not stat.S_ISLNK(seen.st_mode):
                    host.refuse(f"{os.fsdecode(inside)} is no file, no folder and no link")
                _to_root(inside)
                continue
            _to_root(inside)
            runs = stat.S_ISDIR(seen.st_mode) or seen.st_mode & 0o111
            os.chmod(inside, 0o755 if runs else 0o644)
    host.own(path, "root", "root", "0755")


def names(host: Host, path: str) -> Tuple[List[str], List[str]]:
    """Files and links in a tree, by paths that begin there; no link is followed."""
    root = host.at(path)
    files: List[str] = []
    links: List[str] = []
    for folder, inner, others in os.walk(root):
        for name in sorted((*inner, *others)):
            inside = os.path.join(folder, name)
            if os.path.islink(inside):
                links.append(os.path.relpath(inside, root))
            elif name in others:
                files.append(os.path.relpath(inside, root))
    return files, links


def share(host: Host, path: str, to: str) -> None:
    """A file of a tree becomes one of another tree as well, unless something is there already.

    Both are root's, on one file system, and have no links; none of them is written again.
    """
    if not os.path.lexists(host.at(to)):
        host.mkdirs(os.path.dirname(to))
        os.link(host.at(path), host.at(to), follow_symlinks=False)


def _to_root(path: bytes) -> None:
    if os.geteuid() == 0:  # in a temporary root without privileges all is the tester's
        os.lchown(path, 0, 0)


class _Reading:
    """One look at a tree; ``known`` are stamps of files that were read before."""

    def __init__(self, known: Dict[str, stamps.Stamp]) -> None:
        self.known = known
        self.files: Dict[str, stamps.Stamp] = {}
        self.found = hashlib.sha256()
        self._began = time.time_ns()

    def walk(self, folder: bytes, inside: bytes) -> None:
        """``inside``: what comes before the names in ``folder``, the tree being the beginning."""
        with os.scandir(folder) as entries:
            ordered = sorted(entries, key=attrgetter("name"))
        for entry in ordered:
            name = inside + entry.name
            if entry.is_symlink():
                self._add(name, b"link", os.readlink(entry.path))
            elif entry.is_dir():
                self._add(name, b"folder", b"")
                self.walk(entry.path, name + b"/")
            else:
                self._add(name, *self._file(entry, os.fsdecode(name)))

    def _add(self, name: bytes, kind: bytes, what: bytes) -> None:
        sizes = len(name), len(kind), len(what)
        self.found.update(b"%d:%s%d:%s%d:%s" % (sizes[0], name, sizes[1], kind, sizes[2], what))

    def _file(self, entry: os.DirEntry[bytes], name: str) -> Tuple[bytes, bytes]:
        before = self.known.get(name)
        if before and stamps.of(entry.stat(follow_symlinks=False)) == before[:-1]:
            self.files[name] = before
            return _kind(before[0]), bytes.fromhex(before[-1])
        # A pipe in the place of a file would wait for a writer.
        fd = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb", buffering=0) as file:
            seen = os.fstat(fd)
            if not stat.S_ISREG(seen.st_mode):
                return b"other", b""
            found = hashlib.sha256()
            while piece := file.read(1024 * 1024):
                found.update(piece)
        if stamps.is_old(seen, self._began):
            self.files[name] = (*stamps.of(seen), found.hexdigest())
        return _kind(seen.st_mode), found.digest()


def _kind(mode: int) -> bytes:
    return b"program" if mode & 0o111 else b"file"
