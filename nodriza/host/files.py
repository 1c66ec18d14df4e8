"""Files on the host: the one place that opens, stats or replaces any.

Everything takes absolute paths; a ``root`` puts them below another folder, so that a test
can let a resource loose on a temporary directory.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from contextlib import contextmanager
from typing import (
    Iterator,
    List,
    NamedTuple,
    Optional,
    Tuple,
    Union,
)

from nodriza.host.errors import HostError
from nodriza.host.path import reached

TEMPORARY = ".{}.nodriza-new"
"""The name a file has while it is written. It is the same each time, so a run that
was killed leaves at most one, which the next run replaces."""
UNITS = ("/etc/systemd/system/", "/run/systemd/system/")
"""Where unit files are that somebody here has written (systemd.unit(5))."""
READ = 64 * 1024 * 1024
"""Bytes of the largest file that is read whole; a release is smaller."""
ASIDE = ".{}.nodriza-old"
"""The name of a tree that is being replaced or removed, until it is gone."""


class Stat(NamedTuple):
    """What ``lstat`` shows. ``type``: file, directory, link or other."""

    type: str
    owner: str
    group: str
    mode: str
    size: int
    modified: float = 0.0


class Files:
    """Those of a machine, or of a folder that a test takes for one."""

    def __init__(self, root: str = "/") -> None:
        self.root = root.rstrip("/")
        self.units_changed = False
        """A unit file was, since systemd read them all."""

    def at(self, path: str) -> str:
        """The real path of ``path``, which is absolute."""
        if not path.startswith("/"):
            raise HostError(f"not an absolute path: {path}")
        return self.root + path

    def stat(self, path: str) -> Optional[Stat]:
        """``lstat`` in words; ``None`` where nothing is."""
        try:
            seen = os.lstat(self.at(path))
        except (FileNotFoundError, NotADirectoryError):
            return None
        kinds = ((stat.S_ISREG, "file"), (stat.S_ISDIR, "directory"), (stat.S_ISLNK, "link"))
        kind = next((name for test, name in kinds if test(seen.st_mode)), "other")
        return Stat(
            kind,
            name_of(seen.st_uid, user=True),
            name_of(seen.st_gid, user=False),
            f"{stat.S_IMODE(seen.st_mode):04o}",
            seen.st_size,
            seen.st_mtime,
        )

    def read(self, path: str, most: int = READ) -> Optional[bytes]:
        """A file's content; ``None`` where no file is. Raises ``HostError`` for a larger one."""
        try:
            # A pipe in its place would wait for a writer.
            fd = os.open(self.at(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            return None
        content = bytearray()
        with os.fdopen(fd, "rb") as file:
            while len(content) <= most and (piece := file.read(256 * 1024)):
                content += piece
        if len(content) > most:
            raise HostError(f"{path} has more than {most} bytes: it is not read")
        return bytes(content)

    def write(
        self,
        path: str,
        content: Union[bytes, str],
        *,
        owner: str = "root",
        group: str = "root",
        mode: str = "0644",
    ) -> None:
        """Put a whole file in place at once: a reader sees the old one or the new one.

        Written beside its place with its final owner and mode, flushed, renamed.
        """
        data = content.encode() if isinstance(content, str) else content
        with self._changing(path) as (real, new):
            _unlink(new)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(new, flags, 0o600)
            try:
                with os.fdopen(fd, "wb") as file:
                    file.write(data)
                    self._own(file.fileno(), owner, group, mode)
                    file.flush()
                    os.fsync(file.fileno())
                os.rename(new, real)
            except BaseException:
                _unlink(new)
                raise

    def copy(self, path: str, to: str, *, sha256: str, size: int) -> None:
        """Bring a file that others can write to a place of root's, once it is seen to be right.

        ``path`` is no link. Raises ``HostError`` where it is not of ``size`` bytes, or has
        another SHA-256; nothing is at ``to`` then.
        """
        import hashlib  # noqa: PLC0415  hardly any run copies

        what = f"{path} is not what it was when it was made"
        try:
            source = os.open(self.at(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise HostError(f"{path}: {error.strerror}") from None
        seen = os.fstat(source)
        if not stat.S_ISREG(seen.st_mode) or seen.st_size != size:
            os.close(source)
            raise HostError(what)
        with os.fdopen(source, "rb") as file, self._changing(to) as (real, _):
            _unlink(real)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            found, left = hashlib.sha256(), size
            with os.fdopen(os.open(real, flags, 0o600), "wb") as target:
                while left > 0 and (piece := file.read(min(left, 1024 * 1024))):
                    left -= len(piece)
                    found.update(piece)
                    target.write(piece)
            if found.hexdigest() != sha256:
                _unlink(real)
                raise HostError(what)

    def symlink(self, path: str, target: str, *, owner: str = "root", group: str = "root") -> None:
        """Make ``path`` point to ``target``, replacing a link that is there at once."""
        with self._changing(path) as (real, new):
            _unlink(new)
            os.symlink(target, new)
            if os.geteuid() == 0:
                numbers = number_of(owner, user=True), number_of(group, user=False)
                os.chown(new, *numbers, follow_symlinks=False)
            os.rename(new, real)

    def readlink(self, path: str) -> Optional[str]:
        """Where a link points; ``None`` where no link is."""
        try:
            return os.readlink(self.at(path))
        except OSError:
            return None

    def mkdir(self, path: str) -> None:
        """Make one directory; its parent must exist. Root's alone until told otherwise."""
        with self._changing(path) as (real, _):
            os.mkdir(real, 0o700)

    def mkdirs(self, path: str) -> None:
        """Make a directory and the parents it lacks, root's own and 0755; leave others alone."""
        parent = os.path.dirname(path.rstrip("/"))
        if parent not in ("", "/"):
            self.mkdirs(parent)
        if not os.path.isdir(self.at(path)):
            self.mkdir(path)
            self.own(path, "root", "root", "0755")

    def rename(self, path: str, to: str) -> None:
        """Give a file or a tree another name on the same file system."""
        with self._changing(path) as (real, _), self._changing(to) as (target, _):
            os.rename(real, target)

    def exchange(self, path: str, other: str) -> None:
        """Two trees change places, so that none of the two names is ever without one.

        Where the file system has no such call, ``path`` is nowhere between two renames.
        """
        with self._changing(path) as (real, _), self._changing(other) as (beside, _):
            if _exchanged(real, beside):
                return
            folder, name = os.path.split(beside)
            on_the_way = os.path.join(folder, ASIDE.format(name))
            os.rename(real, on_the_way)
            os.rename(beside, real)
            os.rename(on_the_way, beside)

    def touch(self, path: str) -> None:
        """Set the modification time of what is there to now."""
        with reached(self.root, path) as real:
            os.utime(real, follow_symlinks=False)

    def own(self, path: str, owner: str, group: str, mode: str) -> None:
        """Set owner, group and mode of a file or directory, never through a link."""
        with reached(self.root, path) as real:
            fd = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                self._own(fd, owner, group, mode)
            finally:
                os.close(fd)

    def begun(self, path: str) -> bool:
        """Whether a run that was killed was just writing it."""
        folder, name = os.path.split(path)
        return self.stat(os.path.join(folder, TEMPORARY.format(name))) is not None

    def remove(self, path: str) -> None:
        """Take away a file, a link, or a directory with all that is in it, also half-written."""
        if self.stat(os.path.dirname(path)) is None:
            return
        with self._changing(path) as (real, new):
            _unlink(new)
            if os.path.isdir(real) and not os.path.islink(real):
                import shutil  # noqa: PLC0415  slow to load, and a run rarely removes a tree

                shutil.rmtree(real)
            elif os.path.lexists(real):
                os.unlink(real)

    def rmdir(self, path: str) -> None:
        """Take away a directory that is empty."""
        with self._changing(path) as (real, _):
            os.rmdir(real)

    def list(self, path: str) -> List[str]:
        """The names in a directory, sorted; none where there is no directory."""
        try:
            return sorted(os.listdir(self.at(path)))
        except (FileNotFoundError, NotADirectoryError):
            return []

    @contextmanager
    def _changing(self, path: str) -> Iterator[Tuple[str, str]]:
        """Real paths of ``path`` and of its temporary.

        What was changed survives a power cut afterwards.
        """
        with reached(self.root, path.rstrip("/")) as real:
            folder, name = os.path.split(real)
            new = os.path.join(folder, TEMPORARY.format(name))
            self.units_changed |= path.startswith(UNITS)
            yield real, new
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def _own(self, fd: int, owner: str, group: str, mode: str) -> None:
        # In a temporary root without privileges everything belongs to the tester.
        if os.geteuid() == 0:
            os.fchown(fd, number_of(owner, user=True), number_of(group, user=False))
        os.fchmod(fd, int(mode, 8))  # after chown, which clears set-id bits


def is_temporary(name: str) -> bool:
    """Whether a file of this name is one that was being written."""
    before, after = TEMPORARY.split("{}")
    return name.startswith(before) and name.endswith(after)


def _unlink(path: str) -> None:
    """What a killed run left."""
    if os.path.lexists(path):
        os.unlink(path)


def _exchanged(path: str, other: str) -> bool:
    """By one call (renameat2(2), RENAME_EXCHANGE, which Python's os does not have); ``False``
    where the file system or the C library has none.
    """
    import ctypes  # noqa: PLC0415  hardly any run replaces a tree

    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE (linux/fcntl.h, linux/fs.h)
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "renameat2"):
        return False
    if not library.renameat2(here, os.fsencode(path), here, os.fsencode(other), exchange):
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
        return False
    raise OSError(number, os.strerror(number), path)


def name_of(number: int, *, user: bool) -> str:
    """Of a user, or of a group; the number where it has none."""
    try:
        return pwd.getpwuid(number).pw_name if user else grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def number_of(name: str, *, user: bool) -> int:
    """Of a user, or of a group. Raises ``HostError`` for one that is not there."""
    if name.isdigit():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid if user else grp.getgrnam(name).gr_gid
    except KeyError:
        raise HostError(f"no {'user' if user else 'group'} {name} on this host") from None
