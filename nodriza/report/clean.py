"""The way out of every report: no secret gets past, no broken pipe, no other encoding.

What hosts say is clean when it gets here (``nodriza.foreign``): it was cleaned where it came in.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO

PLAIN = str.maketrans("→…✓✗·━─‹›⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", ">.+x.=-<>" + "*" * 10)
"""The nearest in ASCII of what we ourselves say."""
_GONE = (errno.EPIPE, errno.EIO, errno.EBADF)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
UNWRITTEN = "the output can't be written: {}"


class Output:
    """A stream that stays quiet once nobody reads it any more, or its disk is full."""

    def __init__(self, stream: TextIO, redact: Callable[[str], str]) -> None:
        self.stream = stream
        self.redact = redact
        self.quiet = False

    def redacted(self, data: Any) -> Any:
        """Text, or data with texts in it, as it may be shown."""
        if isinstance(data, str):
            return self.redact(data)
        if isinstance(data, (list, tuple)):
            return [self.redacted(item) for item in data]
        if isinstance(data, dict):
            return {self.redacted(key): self.redacted(value) for key, value in data.items()}
        return data

    def line(self, text: str = "") -> None:
        """A line, without secrets."""
        self.write(self.redact(text) + "\n")
        self.flush()

    # What rich asks of a file.

    def write(self, text: str) -> int:
        """Text as it is; on a stream without Unicode, the nearest there is."""
        if "utf" not in self.encoding.lower():
            text = text.translate(PLAIN)
        shown = text.encode(self.encoding, "replace").decode(self.encoding)
        self._try(self.stream.write, shown)
        return len(text)

    def flush(self) -> None:
        """To the reader, if there is one."""
        self._try(self.stream.flush)

    def isatty(self) -> bool:
        """Is somebody watching?"""
        return self.stream.isatty()

    def fileno(self) -> int:
        """For the terminal's size."""
        return self.stream.fileno()

    @property
    def encoding(self) -> str:
        """The stream's own."""
        return self.stream.encoding or "utf-8"

    def _try(self, do: Callable[..., object], *args: str) -> None:
        if self.quiet:
            return
        try:
            do(*args)
        except OSError as error:
            if error.errno not in _GONE + FULL:
                raise
            self._hush()
            if error.errno in FULL:
                words = UNWRITTEN.format(error.strerror)
                print(f"{words}\n  kept: the run goes on; its exit code tells", file=sys.stderr)  # noqa: T201
        except ValueError:  # the stream was closed
            self.quiet = True

    def _hush(self) -> None:
        """Give what is still buffered a place to go: Python flushes once more at its end."""
        self.quiet = True
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)
        except (OSError, ValueError):
            return
