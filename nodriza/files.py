"""Files on this computer: the one way to replace one whole, and to keep others away meanwhile.

Whatever is replaced is written beside its place, flushed, renamed, and the folder is flushed
as well: a rename that only the page cache knows of does not survive a power cut (fsync(2)).
A link that somebody else may have put there is never followed.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from nodriza.errors import NodrizaError

PATIENCE = 10  # seconds to wait for another command; a writer needs milliseconds


class Unwritable(NodrizaError):
    """What was typed would be written where it can't be."""

    exit_code = 2


def refuse_unwritable(path: Path) -> None:
    """Raises ``Unwritable`` where a file could not be written.

    Asked before work begins that would be lost. access(2) knows modes and read-only file systems.
    """
    if path.is_dir():
        raise _unwritable(path, path, "is a folder")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise _unwritable(path, folder, "there is no such folder")
    at = path if path.exists() else folder
    if not os.access(at, os.W_OK):
        raise _unwritable(path, at, "you may not write there")


def refuse_closed(folder: Path) -> None:
    """The same for a folder in which files are made or replaced; it may have to be made."""
    at = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not at.is_dir():
        raise _unwritable(folder, at, "is no folder")
    if not os.access(at, os.W_OK | os.X_OK):
        raise _unwritable(folder, at, "you may not write there")


def _unwritable(path: Path, at: Path, why: str) -> Unwritable:
    return Unwritable(
        f"can't be written: {why}" if at == path else f"can't be written: {at}: {why}",
        where=str(path),
        kept="nothing was done",
        do=f"another place, or see who may write there: ls -ld {at}",
    )


@contextlib.contextmanager
def exclusively(path: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Keep others away from ``path`` meanwhile; they must ask here as well.

    A lock file beside it, since the file itself is replaced whole. A dead process holds
    nothing. Raises ``NodrizaError`` after ``patience`` seconds.
    """
    lock = path.with_name(f".{path.name}.lock")
    with locked(lock, patience):
        yield


@contextlib.contextmanager
def locked(lock: Path, patience: float = PATIENCE, busy: str = "") -> Iterator[None]:
    """Hold the file ``lock`` alone; it is gone afterwards.

    Raises ``NodrizaError`` after ``patience`` seconds, with ``busy`` as its words, and when
    the file can't be made there.
    """
    fd = _locked(lock, time.monotonic() + patience, busy)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)  # before others get it: they notice, and start over
        os.close(fd)


def write_whole(path: Path, data: bytes, mode: int, *, follow: bool = True) -> None:
    """Replace a file at once: a reader sees the old one or the new one, also after a power cut.

    ``follow``: where a link stands, what it points to is replaced, and else the link.
    Raises ``NodrizaError`` when the file can't be written there.
    """
    real = _real(path) if follow else path
    try:
        _replace(real, data, mode)
    except OSError as error:
        raise unwritten(path, error) from error


def content(path: Path) -> bytes | None:
    """What is in a file; ``None`` where none is.

    Raises ``OSError``, also for a link that leads nowhere, because what it stands for is lost,
    and for a pipe, at which a reader would wait.
    """
    try:
        seen = path.stat()
    except FileNotFoundError:
        if not path.is_symlink():
            return None
        words = f"a link that leads nowhere, to {path.readlink()}"
        raise OSError(errno.ENOENT, words, str(path)) from None
    if stat.S_ISFIFO(seen.st_mode) or stat.S_ISSOCK(seen.st_mode):
        raise OSError(errno.EINVAL, "no file, but a pipe or a socket", str(path))
    return path.read_bytes()


def flush_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def remove(path: Path) -> None:
    """Take a file away, for good; nothing happens where none is."""
    if path.exists() or path.is_symlink():
        path.unlink()
        flush_folder(path.parent)


def unwritten(path: Path, error: OSError) -> NodrizaError:
    """The words for a file that can't be written."""
    return NodrizaError(
        f"can't be written: {error.strerror or error}",
        where=str(path),
        kept="what was there is as it was",
        do=f"see whose the folder is, and whether the disk has room: ls -ld {path.parent};"
        f" df {path.parent}",
    )


def _replace(real: Path, data: bytes, mode: int) -> None:
    with tempfile.NamedTemporaryFile(
        dir=real.parent, prefix=f".{real.name}.", delete=False
    ) as new:
        try:
            new.write(data)
            os.fchmod(new.fileno(), mode)
            new.flush()
            os.fsync(new.fileno())
            Path(new.name).replace(real)
        except BaseException:
            Path(new.name).unlink(missing_ok=True)
            raise
    flush_folder(real.parent)


def _real(path: Path) -> Path:
    """Where to write: an operator's own link stays a link, a stranger's is refused.

    In a folder that everybody may write to (/tmp) only a link of our own, or of the folder's
    owner, is followed: the rule of ``protected_symlinks`` (proc_sys_fs(5)), which a kernel
    may have switched off.
    """
    if path.is_symlink():
        folder, owner = path.parent.stat(), path.lstat().st_uid
        if folder.st_mode & stat.S_IWOTH and owner not in (os.geteuid(), folder.st_uid):
            raise NodrizaError(
                f"this is somebody else's link to {path.readlink()}, in a folder that everybody"
                " can write to",
                where=str(path),
                kept="nothing was written, and the link was not followed",
                do=f"take another path, or remove it: rm {path}",
            )
    return path.resolve()


def _locked(lock: Path, until: float, busy: str) -> int:
    while True:
        try:
            fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise unwritten(lock, error) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(fd, lock):
                return fd
        except BlockingIOError:
            if time.monotonic() > until:
                os.close(fd)
                raise NodrizaError(
                    busy or "another command is writing here and does not end",
                    where=str(lock),
                    kept="nothing was written",
                    do=f"wait for it, or see which one it is (fuser {lock}), and try again",
                ) from None
            time.sleep(0.02)
        os.close(fd)


def _is_at(fd: int, path: Path) -> bool:
    """Is what was locked still what the name stands for?"""
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False
