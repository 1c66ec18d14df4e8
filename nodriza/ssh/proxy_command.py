"""A ProxyCommand of ssh_config(5): a program whose stdin and stdout are the line to a host."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
from typing import IO, Any

from nodriza import foreign


class Program:
    """It, as a socket.

    It has no terminal: a program that would ask a person something fails instead.
    """

    def __init__(self, command: str, timeout: float) -> None:
        shell = os.environ.get("SHELL") or shutil.which("sh") or "/bin/sh"
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  as long as the line
        self._sock, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [shell, "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=self._said,
                start_new_session=True,
            )
        self._sock.settimeout(timeout)
        self._words = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def close(self) -> None:
        """End the program, too."""
        self._sock.close()
        if not self._said.closed:
            self._words = self._read()
            self._said.close()
            self._process.terminate()
            threading.Thread(target=self._process.wait, daemon=True).start()

    def told(self, error: BaseException) -> str:
        """What failed, with the end of what the program had written to stderr."""
        self.close()
        return f"{error or type(error).__name__}: {self._words}"

    def _read(self) -> str:
        self._said.seek(max(0, self._said.seek(0, os.SEEK_END) - 2000))
        return foreign.line(self._said.read().decode("utf-8", "replace").strip())
