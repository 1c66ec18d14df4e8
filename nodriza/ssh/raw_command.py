"""One shell command on one node, byte for byte: for dumps, archives and pipes."""

from __future__ import annotations

import threading
from typing import Any, Protocol

from nodriza.ssh.channel import text_lines
from nodriza.ssh.commands import Everywhere
from nodriza.ssh.script import Script

PART = 65536  # bytes


class Sink(Protocol):
    """A file, or what takes bytes as one does; ``BrokenPipeError`` says that it has enough."""

    def write(self, data: bytes, /) -> Any:
        """Take some more."""

    def flush(self) -> None:
        """Pass them on."""


class Raw(Everywhere):
    """What it prints goes to ``out`` as it is; its errors are lines, as everywhere.

    No secret and no control character is taken out: other bytes would not be the same file.
    So ``out`` must not be a terminal.
    """

    def __init__(self, *args: Any, out: Sink, **options: Any) -> None:
        super().__init__(*args, **options)
        self.out = out

    def _heard_of(self, name: str, script: Script) -> None:
        errors = threading.Thread(target=self._errors, args=(name, script), daemon=True)
        errors.start()
        while data := script.recv(PART):
            try:
                self.out.write(data)
                self.out.flush()
            except BrokenPipeError:  # as with ``| head``: the command is told to end
                self.stopped.set()
        errors.join()

    def _errors(self, name: str, script: Script) -> None:
        for line in text_lines(script.channel.recv_stderr):
            self._queue.put((name, line))
