"""A script for sh(1) on a host, heard from its own first byte on.

sshd hands a command to the user's shell, and that reads the user's own files first: bash reads
``~/.bashrc`` for every command that comes through sshd (bash(1), "INVOCATION"), zsh
``~/.zshenv``. What these print is no part of the script's output, what they read is none of its
input, and ``exit 0`` in one of them is no success of a script that never began. So each script
begins with a mark that nobody can know beforehand: what comes before it is the login's.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

import paramiko

from nodriza import foreign
from nodriza.errors import ConnectionFailed, HostRefused
from nodriza.ssh.channel import Errors, begin, ends_within, not_begun
from nodriza.ssh.login_shell import in_sh

if TYPE_CHECKING:
    from nodriza.ssh.client import Connection

LOGIN = 60  # seconds that a login has before our script begins; sudo and its PAM are part of it
MOST = 1024 * 1024  # bytes that a login may print
LAST = 16384  # bytes of them that are kept for a message


class Mark:
    """``seen`` once the script has begun; ``before`` is the end of what came earlier."""

    def __init__(self) -> None:
        self.word = f"nodriza-begins-{os.urandom(16).hex()}"
        self.seen = False
        self.before = b""
        self._held = b""

    def on(self, script: str) -> str:
        """The script that says so first."""
        return f"printf %s {self.word}\n{script}"

    def part(self, data: bytes) -> tuple[bytes, bytes]:
        """What is the login's and what is the script's, of what came next. An end of it that may
        be the beginning of the mark is held back.
        """
        if self.seen:
            return b"", data
        word, data = self.word.encode(), self._held + data
        login, mark, own = data.partition(word)
        self.seen = bool(mark)
        if not mark:
            may_be = next(n for n in range(min(len(word), len(data)), -1, -1)
                          if data.endswith(word[:n]))  # fmt: skip
            login, self._held = data[: len(data) - may_be], data[len(data) - may_be :]
        self.before = (self.before + login)[-LAST:]
        return login, own


class Script:
    """One that was started on a host. ``recv`` gives what it prints, and only that."""

    def __init__(self, connection: Connection, script: str, sudo: str = "") -> None:
        self._connection = connection
        self._mark = Mark()
        self._own = b""
        self.channel = begin(connection, in_sh(self._mark.on(script), sudo))

    @property
    def begun(self) -> bool:
        """Whether it has said that it began."""
        return self._mark.seen

    def wait(self) -> bool:
        """Wait until it begins, and say whether it did. What it reads is sent afterwards, or a
        program in the login would read it.

        Raises ``HostRefused`` for a login that takes too long, or prints without end.
        """
        until = time.monotonic() + LOGIN
        heard = 0
        while not self.begun:
            self.channel.settimeout(max(0.1, until - time.monotonic()))
            try:
                data = self.channel.recv(65536)
            except TimeoutError:
                data = b""
            else:
                if not data:
                    return False
            heard += len(data)
            _, self._own = self._mark.part(data)
            if not self.begun and (heard > MOST or time.monotonic() > until):
                why = f"it printed over {MOST >> 20} MB" if heard > MOST else f"{LOGIN} s passed"
                errors = self._errors() if self.channel.recv_stderr_ready() else b""
                self.channel.close()
                raise not_begun(self._connection, why, self._words(errors))
        self.channel.settimeout(None)  # it may be silent for days
        return True

    def recv(self, size: int) -> bytes:
        """As a channel's, once it has begun."""
        own, self._own = self._own, b""
        return own or self.channel.recv(size)

    def never_began(self) -> HostRefused:
        """What there is to say once ``wait`` said that it did not."""
        errors = b""
        while len(errors) < MOST and (more := self._errors()):
            errors += more
        self.channel.status_event.wait(5)
        why = f"its login ended first (exit {self.channel.exit_status})"
        return not_begun(self._connection, why, self._words(errors))

    def _errors(self) -> bytes:
        with contextlib.suppress(OSError):
            return self.channel.recv_stderr(65536)
        return b""

    def _words(self, errors: bytes) -> str:
        said = (self._mark.before + errors)[-LAST:].decode("utf-8", "replace")
        return foreign.quoted("\n".join(foreign.text(said).strip().splitlines()[-15:]))


def output(
    connection: Connection, script: str, sudo: str, *, seconds: float, most: int
) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a script, up to ``most`` bytes.

    Raises ``HostRefused`` when it is more, takes more than ``seconds``, or never began.
    """
    where = f"{connection.user}@{connection.host}"
    with ends_within(connection, seconds) as late:
        started = Script(connection, script, sudo)
        said = bytearray()
        channel = started.channel
        errors: Errors | None = None
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            if not started.wait() and not late.is_set():
                raise started.never_began()
            errors = Errors(channel)
            errors.thread.start()
            while len(said) <= most and (data := started.recv(65536)):
                said += data
        channel.status_event.wait(5 if len(said) <= most else 0)
        if errors:
            errors.thread.join(timeout=1)
        if late.is_set() or len(said) > most:
            words = f"no end within {seconds:.0f} s" if late.is_set() else f"over {most} bytes"
            raise HostRefused(words, where=where)
        if not started.begun:
            raise ConnectionFailed(connection.broken() or "the line broke", where=where)
        text = foreign.text(said.decode("utf-8", "replace"), most)
        return channel.exit_status, text, errors.words if errors else ""
