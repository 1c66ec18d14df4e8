"""The bytes below SSH: how much the other end may send before, and after, we know who it is.

paramiko reads an identification line, a packet and a channel's data for as long as somebody
sends; a listener that never stops would fill this computer's memory. The limits are those of
OpenSSH, which every real host keeps.
"""

from __future__ import annotations

import contextlib
import functools
import socket
import threading
from collections.abc import Callable
from typing import Any, ClassVar

import paramiko
from paramiko.common import MSG_CHANNEL_CLOSE

from nodriza import foreign

IDENTIFICATION = 32 * 1024
"""Bytes up to the end of the line "SSH-2.0-…"; RFC 4253, 4.2, allows other lines before it."""
STRANGER = 1024 * 1024
"""Bytes until the log-in is done: keys and lists of algorithms are a few kilobytes."""
PACKET = 256 * 1024 + 1024
"""Bytes of a packet: OpenSSH's PACKET_MAX_SIZE, and its check sum."""
BEGINNING = 200
"""Bytes of what the other end says first, for the words about it."""
NOT_SSH = "no SSH: it sends and sends, and never says who it is"
SSHD = (b"SSH-", b"Exceeded MaxStartups", b"Not allowed at this time")
"""How sshd begins: with who it is, or with the reason why it hangs up (its drop_connection)."""
WAITING = 8 * 1024 * 1024
"""Bytes that nobody has read yet, over all channels: each was allowed 2 MB (its window)."""


def _keep_order(channel: paramiko.Channel) -> None:
    """Nothing is sent on a channel after its end, whatever other threads are at.

    paramiko looks whether a channel is open, and sends then. sshd hangs up on all nodes behind it
    when data comes for a channel that was closed in between.
    """
    guard = threading.RLock()

    def guarded(act: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(act)
        def acting(*args: Any, **options: Any) -> Any:
            with guard:
                return act(*args, **options)

        return acting

    for name in ("_send", "close", "_handle_close"):
        setattr(channel, name, guarded(getattr(channel, name)))


class NotSsh(paramiko.SSHException):
    """What answers is no SSH server, and will be none in a moment either."""


class TooMuch(paramiko.SSHException):
    """The other end sent more than the protocol allows."""


class Transport(paramiko.Transport):
    """paramiko's, on a socket that keeps the limits."""

    # By the channel's own method, which _keep_order may have replaced.
    _channel_handler_table: ClassVar[dict[int, Any]] = {
        **paramiko.Transport._channel_handler_table,  # type: ignore[attr-defined]
        MSG_CHANNEL_CLOSE: lambda channel, message: channel._handle_close(message),
    }

    def __init__(self, sock: Any, **options: Any) -> None:
        self._read = 0
        self._beginning = b""
        super().__init__(_Limited(sock, self), **options)  # type: ignore[arg-type]

    def open_channel(self, kind: str, *args: Any, **options: Any) -> paramiko.Channel:
        """As paramiko does. One to a node behind this gateway keeps its messages in order."""
        channel = super().open_channel(kind, *args, **options)
        if kind == "direct-tcpip":
            _keep_order(channel)
        return channel

    def allow(self, asked: int) -> None:
        """Whether ``asked`` more bytes may be read. Raises ``TooMuch``."""
        if asked > PACKET:
            raise TooMuch(f"a packet of {asked} bytes")
        if not self.remote_version and self._read > IDENTIFICATION:
            raise NotSsh(NOT_SSH)
        if self._read > STRANGER and not self.is_authenticated():
            raise TooMuch(f"more than {STRANGER >> 20} MB before the log-in was done")
        # A copy, as others are opened meanwhile.
        channels = self._channels.values()  # type: ignore[attr-defined]
        unread = sum(len(one.in_buffer) + len(one.in_stderr_buffer) for one in channels)
        # A gateway has a channel for each node behind it.
        allowed = sum(one.in_window_size for one in channels)
        if unread > max(WAITING, allowed):
            raise TooMuch("it sends more than it was allowed to (its window)")

    def count(self, data: bytes) -> bytes:
        """The same, noted down."""
        self._read += len(data)
        self._beginning += data[: BEGINNING - len(self._beginning)]
        return data

    def _check_banner(self) -> None:
        """As paramiko does, which tells a stranger's words from no words in its texts only."""
        try:
            super()._check_banner()  # type: ignore[misc]
        except paramiko.SSHException as error:
            if isinstance(error.__context__, NotSsh):
                raise error.__context__ from None
            if self._beginning and not self._beginning.startswith(SSHD):
                said = foreign.line(self._beginning.decode("utf-8", "replace").strip())
                raise NotSsh(f"no SSH: it says {said or 'nothing that can be read'}") from None
            raise


class _Limited:
    """A socket, or a gateway's channel, that is asked for no more than the limits."""

    def __init__(self, sock: Any, transport: Transport) -> None:
        self._sock = sock
        self._transport = transport

    def recv(self, size: int) -> bytes:
        """As ``socket.recv``."""
        self._transport.allow(size)
        return self._transport.count(self._sock.recv(size))

    def close(self) -> None:
        """As ``socket.close``; a gateway's channel says good-bye on a line that may be dead."""
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            self._sock.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def tcp(transport: Any) -> socket.socket | None:
    """The socket below a connection, unless it goes through a gateway."""
    sock = transport.sock
    inner = getattr(sock, "_sock", sock)
    return inner if isinstance(inner, socket.socket) else None
