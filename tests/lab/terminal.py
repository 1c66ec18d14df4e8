"""A person at a terminal: types, sees, changes the size of the window, hangs up."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Iterator

from tests.lab.project import Project

ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][0-9A-B]|[=>])")


class Terminal:
    """``seen``: all that it has shown, without what moves the cursor."""

    def __init__(self, process: int, line: int) -> None:
        self.process = process
        self.line = line
        self._raw = b""

    @property
    def seen(self) -> str:
        """Of a screen that forgets nothing."""
        return ESCAPES.sub("", self._raw.decode("utf-8", "replace")).replace("\r", "")

    def type(self, text: str) -> None:
        """Keys, one after another."""
        os.write(self.line, text.encode())

    def expect(self, words: str, seconds: float = 60) -> None:
        """Look until they are there."""
        until = time.monotonic() + seconds
        while words not in self.seen:
            assert time.monotonic() < until, f"no {words!r} in {self.seen[-3000:]!r}"
            assert self._look() or words in self.seen, f"{words!r}: it ended with {self.seen!r}"

    def resize(self, columns: int, rows: int) -> None:
        """Another size of the window (ioctl_tty(2), TIOCSWINSZ)."""
        fcntl.ioctl(self.line, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def end(self, seconds: float = 60) -> int:
        """The exit code, once it has ended."""
        until = time.monotonic() + seconds
        while self._look():
            assert time.monotonic() < until, f"no end: {self.seen[-3000:]!r}"
        _, status = os.waitpid(self.process, 0)
        self.process = 0
        return os.waitstatus_to_exitcode(status)

    def _look(self) -> bool:
        """Whether it is there still."""
        if select.select([self.line], [], [], 0.2)[0]:
            try:
                data = os.read(self.line, 65536)
            except OSError:  # EIO: nobody has the other end any more
                data = b""
            self._raw += data
            return bool(data)
        return True


@contextlib.contextmanager
def terminal(
    project: Project, *words: str, columns: int = 100, rows: int = 40, kind: str = "xterm-256color"
) -> Iterator[Terminal]:
    """``fab`` on a terminal of this kind and size; hung up at the end."""
    process, line = pty.fork()
    if process == 0:
        os.chdir(project.folder)
        os.execve(project.program, ["fab", *words], {**project._environment, "TERM": kind})
    person = Terminal(process, line)
    person.resize(columns, rows)
    try:
        yield person
    finally:
        os.close(line)
        if person.process:
            with contextlib.suppress(ProcessLookupError):
                os.kill(person.process, signal.SIGKILL)
            os.waitpid(person.process, 0)
