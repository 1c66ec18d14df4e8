"""Files on this computer that two commands may want to write at once."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from nodriza.errors import NodrizaError

PATIENCE = 10  # seconds to wait for another command; a writer needs milliseconds


@contextlib.contextmanager
def exclusively(path: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Keep others away from ``path`` meanwhile; they must ask here as well.

    A lock file beside it, since the file itself is replaced whole. A dead process holds
    nothing. Raises ``NodrizaError`` after ``patience`` seconds.
    """
    lock = path.with_name(f".{path.name}.lock")
    fd = _locked(lock, time.monotonic() + patience)
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)  # before others get it: they notice, and start over
        os.close(fd)


def write_whole(path: Path, data: bytes, mode: int) -> None:
    """Replace a file at once: a reader sees the old one or the new one."""
    real = path.resolve()  # a link stays a link
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


def _locked(lock: Path, until: float) -> int:
    while True:
        fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(fd, lock):
                return fd
        except BlockingIOError:
            if time.monotonic() > until:
                os.close(fd)
                raise NodrizaError(
                    "another command is writing here and does not end",
                    where=str(lock),
                    kept="nothing was written",
                    do=f"see which one (fuser {lock}), and try again",
                ) from None
            time.sleep(0.02)
        os.close(fd)


def _is_at(fd: int, path: Path) -> bool:
    """Is what was locked still what the name stands for?"""
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False
