"""What goes to a host that is at work: signs that we are there, its turn, and parts of a source.

nodriza/host/line.py is the other end.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import paramiko

from nodriza.host.line import DATA, HERE, TURN

if TYPE_CHECKING:
    from nodriza.source.tree import Source
    from nodriza.ssh.events import Event

SIGN = 15  # seconds between two signs that we are there, for a host that waits for its turn
FRAME = 32 * 1024
"""Bytes of one piece of data: the slowest line has it through before the host gives up."""
LEVEL = 3
"""Of zlib: twice as fast as its usual 6, and text comes out a tenth longer."""
TOLD = 1.0
"""Seconds between two words about how far a source is."""
Parts = Sequence[tuple[int, int]]


class Sender:
    """One for each channel, with a thread of its own. ``at_work``: the agent is there and reads.

    When ``stop`` is set the host's stdin ends, which tells it to end after the resource that it
    is at; a source that is on its way is then left half-way.
    """

    def __init__(
        self, channel: Any, stop: threading.Event, on_event: Callable[[Event], bool | None]
    ) -> None:
        self.channel = channel
        self.stop = stop
        self.on_event = on_event
        self.at_work = threading.Event()
        self._wanted: queue.Queue[tuple[Source, Parts]] = queue.Queue()
        self._enough = threading.Event()

    def begin(self, payload: bytes, sudo_password: str | None) -> None:
        """Send the request, and go on from there."""
        # sudo reads one line if it wants a password; if it does not, the agent skips it.
        head = f"{sudo_password}\n".encode() if sudo_password is not None else b""
        threading.Thread(target=self._run, args=(head + payload,), daemon=True).start()

    def give(self, source: Source, parts: Parts) -> None:
        """Send parts of a source."""
        self._enough.clear()
        self._wanted.put((source, parts))

    def end(self) -> None:
        """Nobody waits for parts any more."""
        self._enough.set()

    def answer(self, turn: bool) -> None:
        """What the agent waits for that has asked for its turn."""
        with contextlib.suppress(OSError):  # it did not wait; what it says to that comes next
            self.channel.sendall(TURN) if turn else self.channel.shutdown_write()

    def _run(self, first: bytes) -> None:
        try:
            self.channel.sendall(first)
            said = time.monotonic()
            while not self._over():
                with contextlib.suppress(queue.Empty):
                    self._send(*self._wanted.get(timeout=0.2))
                    said = time.monotonic()
                # Not before: the agent itself may still be on its way.
                if self.at_work.is_set() and time.monotonic() - said > SIGN:
                    self.channel.sendall(HERE)
                    said = time.monotonic()
            self.channel.shutdown_write()
        except (OSError, EOFError, paramiko.SSHException):
            return  # the host hung up; what it said is read elsewhere

    def _over(self) -> bool:
        return self.stop.is_set() or self.channel.closed or self.channel.eof_received

    def _send(self, source: Source, parts: Parts) -> None:
        """Never more of it in memory than a few pieces: ``sendall`` waits for the host."""
        told, sent, of = time.monotonic(), 0, source.size_of(parts)
        packed = zlib.compressobj(LEVEL)
        for piece in source.pieces(parts):
            self._send_frames(packed.compress(piece))
            if self._enough.is_set() or self._over():
                return
            sent += len(piece)
            if time.monotonic() - told > TOLD:
                told = time.monotonic()
                self.on_event({"event": "sending", "sent": sent, "of": of})
        self._send_frames(packed.flush())
        self.channel.sendall(DATA + bytes(4))

    def _send_frames(self, data: bytes) -> None:
        for frame in _frames(data):
            self.channel.sendall(DATA + len(frame).to_bytes(4, "big") + frame)


def _frames(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data), FRAME):
        yield data[at : at + FRAME]
