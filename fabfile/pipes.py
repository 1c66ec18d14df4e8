"""What stands on this side of a command: a file or a pipe on stdin, something on stdout."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import select
import stat
import sys
import termios
from collections.abc import Iterator
from typing import TextIO, cast

from .refusal import refusal

STDIN = 0
PASSWORD = 1024
"""Bytes of a password that is piped, with its line's end (sudo_plugin(5), SUDO_CONV_REPL_MAX)."""
SOON = 0.2  # seconds; what is piped by another program needs a moment to begin


def given() -> int | None:
    """The number of stdin, if it is a file or a pipe: neither a terminal nor /dev/null."""
    try:
        mode = os.fstat(STDIN).st_mode
    except OSError:  # it was closed
        return None
    readable = stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
    return STDIN if readable else None


@contextlib.contextmanager
def passwords_by_line() -> Iterator[None]:
    """Meanwhile whoever asks for a password takes one line of stdin and no byte more.

    Where there is no terminal getpass(3) reads stdin, of which Python takes 8 KB at once: the
    beginning of what a command on a host was to read would be lost.
    """
    before, sys.stdin = sys.stdin, cast("TextIO", _Lines())
    try:
        yield
    finally:
        sys.stdin = before


class _Lines:
    """As much of a file as getpass needs."""

    def fileno(self) -> int:
        return STDIN

    def readline(self) -> str:
        read = b""
        with contextlib.suppress(OSError):  # closed: as at its end
            while not read.endswith(b"\n") and (byte := os.read(STDIN, 1)):
                read += byte
                if len(read) > PASSWORD:
                    raise refusal(
                        f"the first line of stdin is to be the password, and has {PASSWORD} bytes"
                        " and more",
                        "the password, a line break, then what the command reads",
                    )
        try:
            return read.decode()
        except UnicodeDecodeError:
            raise refusal(
                "the first line of stdin is to be the password, and is no UTF-8",
                "the password, a line break, then what the command reads",
            ) from None


def refuse_for_many(nodes: int) -> None:
    """Raises ``Exit`` where several nodes would have to read the same stdin."""
    if waiting(SOON):
        raise refusal(
            f"stdin can go to one node, and these are {nodes}: nobody would read it",
            "fab run:NODE 'COMMAND' < FILE for one, or </dev/null",
        )


def waiting(patience: float = 0) -> bool:
    """Whether something is there that nobody has read."""
    if given() is None or not select.select([STDIN], [], [], patience)[0]:
        return False
    count = array.array("i", [0])
    try:
        fcntl.ioctl(STDIN, termios.FIONREAD, count)  # ioctl_tty(2); nought at the end of a pipe
    except OSError:
        return False
    return count[0] > 0


def refuse_raw(nodes: int, *, json: bool) -> None:
    """Raises ``Exit`` where bytes can't be passed on as they are."""
    if nodes != 1:
        raise refusal(f"--raw is for one node, and these are {nodes}", "fab run:NODE --raw …")
    if json:
        raise refusal("--raw and --json exclude each other", "leave one of them out")
    if sys.stdout.isatty():
        raise refusal(
            "--raw is for a file or a pipe: a host's own bytes could do anything to a terminal",
            "> FILE, or | less; without --raw each line is cleaned",
        )
