"""Running a program: what it prints is kept to a bound, and when its time is up all of it ends.

A program may print for ever, leave children that hold its output open, and start others that
leave its session. None of that may fill or hold the agent.
"""

from __future__ import annotations

import errno
import itertools
import math
import os
import selectors
import signal
import subprocess
import time
from typing import Callable, Dict, Iterator, NamedTuple, Optional, Sequence, Set

from nodriza.host.awake import Awake

HALF = 512 * 1024
"""Bytes kept of the beginning and of the end of each of stdout and stderr."""
GRACE = 2.0
"""Seconds in which output may still come when the program itself has ended: what it started
may hold the other end open for as long as it lives."""
SIGN = 60.0
"""Seconds between two signs of life of a program that takes its time."""
KIND = 3.0  # seconds between SIGTERM and SIGKILL
MARK = "NODRIZA_PROGRAM"
"""In the environment of a program and of all that it starts, wherever they go."""
_numbers = itertools.count()


class Late(Exception):
    """Its time was up; it and all that it started have been ended."""


class Done(NamedTuple):
    """What came of it."""

    exit: int
    out: str
    err: str


class Output:
    """The beginning and the end of what is printed, and how much is missing between them."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._all = 0

    def add(self, data: bytes) -> None:
        """More of it."""
        self._all += len(data)
        room = HALF - len(self._head)
        self._head += data[:room]
        self._tail += data[max(room, 0) :]
        if len(self._tail) > 2 * HALF:  # not for each piece: what stays is moved each time
            del self._tail[:-HALF]

    @property
    def text(self) -> str:
        """As text, with a line in the place of what is missing."""
        tail = self._tail[-HALF:]
        missing = self._all - len(self._head) - len(tail)
        gap = f"\n[… {missing} bytes left out …]\n".encode() if missing else b""
        return bytes(self._head + gap + tail).decode("utf-8", "replace")


def run(
    argv: Sequence[str],
    *,
    input: bytes,
    env: Dict[str, str],
    cwd: str,
    timeout: Optional[float],
    alive: Callable[[], None] = lambda: None,
) -> Done:
    """Run a program in a session of its own: a Ctrl-C or a lost line ends us, not it.

    While it runs ``alive`` is called once a minute. Raises ``OSError`` where it can't be
    started, ``Late`` after ``timeout`` seconds; ``None``: it has all the time there is.
    """
    token = f"{os.getpid()}.{next(_numbers)}.{time.time_ns()}"
    stdin = _file_of(input)
    try:
        process = subprocess.Popen(
            argv,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**env, MARK: token},
            cwd=cwd,
            bufsize=0,
            start_new_session=True,
        )
    finally:
        if stdin != subprocess.DEVNULL:
            os.close(stdin)
    assert process.stdout  # noqa: S101  for the type checker
    assert process.stderr  # noqa: S101
    out, err = Output(), Output()
    streams = {process.stdout.fileno(): out, process.stderr.fileno(): err}
    with process.stdout, process.stderr:
        if not _read(process, streams, timeout, alive):
            end(process.pid, token)
            process.wait()
            raise Late
    return Done(process.returncode, out.text, err.text)


def _file_of(data: bytes) -> int:
    """A file without a name to be a program's stdin: nobody has to feed it, or to wait."""
    if not data:
        return subprocess.DEVNULL
    fd = os.memfd_create("stdin")
    with os.fdopen(os.dup(fd), "wb") as file:
        file.write(data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _read(
    process: subprocess.Popen[bytes],
    streams: Dict[int, Output],
    timeout: Optional[float],
    alive: Callable[[], None],
) -> bool:
    """Read until all is said and the program has ended; ``False``: there was no time left."""
    clock, until = Awake(SIGN + 1), math.inf if timeout is None else timeout
    sign = time.monotonic() + SIGN
    ended = _end_of(process.pid)
    over = False
    try:
        with selectors.DefaultSelector() as waiting:
            for fd in (*streams, *([] if ended is None else [ended])):
                waiting.register(fd, selectors.EVENT_READ)
            while True:
                open_still = waiting.get_map().keys()
                if not over and ended not in open_still and process.poll() is not None:
                    over, until = True, min(until, clock.seconds() + GRACE)
                left = until - clock.seconds()
                if left <= 0 or (over and not streams.keys() & open_still):
                    return over
                if time.monotonic() > sign:
                    alive()
                    sign = time.monotonic() + SIGN
                wait = min(left, SIGN if ended is not None else 0.05)
                for key, _ in waiting.select(wait):
                    data = b"" if key.fd == ended else os.read(key.fd, 65536)
                    if data:
                        streams[key.fd].add(data)
                    else:
                        waiting.unregister(key.fd)
    finally:
        if ended is not None:
            os.close(ended)


def _end_of(pid: int) -> Optional[int]:
    """A file that is readable when a process has ended (pidfd_open(2), Linux 5.3)."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def end(pid: int, token: str) -> None:
    """End a program and all that it started: kindly first, and then not."""
    family = {pid}
    for number, patience in ((signal.SIGTERM, KIND), (signal.SIGKILL, KIND)):
        until = time.monotonic() + patience
        told: Set[int] = set()
        while time.monotonic() < until:
            family |= set(_started_by(family, token))
            living = {each for each in family if _is_alive(each)}
            if not living:
                return
            for each in living - told:  # those that come while we look as well
                _tell(each, number)
            told |= living
            time.sleep(0.02)


def _tell(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
    except PermissionError:  # only where we are not root
        return


def _is_alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def _started_by(family: Set[int], token: str) -> Iterator[int]:
    """Their children, what is in their session, and whatever has the mark (proc(5))."""
    mark = f"{MARK}={token}".encode()
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
            if {int(fields[1]), int(fields[3])} & family:  # parent, session
                yield int(name)
                continue
            with open(f"/proc/{name}/environ", "rb") as file:
                if mark in file.read(1024 * 1024).split(b"\0"):
                    yield int(name)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ESRCH, errno.EACCES, errno.EPERM):
                raise
