"""A sign of life: nobody who waits for a command is left without a word for long.

The command line watches its own output. When nothing was said for ``QUIET`` seconds, it
says on stderr what it waits for. Whoever waits names that with ``waiting``; nobody has to
think of how long it takes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TextIO

QUIET = 20
"""Seconds; half a minute is when people begin to doubt, and some CI servers give up later."""
EARLY = 1
"""Seconds after which a terminal shows what is waited for, where nothing else is shown."""
Words = Callable[[], str]


@dataclass
class _Wait:
    words: Words
    early: bool
    once: bool
    since: float
    said: float = 0.0


class _Watch:
    """What was said last, and when; one for the process."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.waits: list[_Wait] = []
        self.heard = time.monotonic()
        self.hushed = 0
        self.shown = False
        self.thread: threading.Thread | None = None

    def begin(self) -> None:
        """Listen to our own streams, from the first command on."""
        self.heard = time.monotonic()
        if self.thread is None:
            for stream in (sys.stdout, sys.stderr):
                self._listen(stream)
            self.thread = threading.Thread(target=self._run, daemon=True)
            self.thread.start()

    def _listen(self, stream: TextIO) -> None:
        write = stream.write

        def noted(text: str) -> int:
            with self.lock:
                self.heard = time.monotonic()
                self.clear()
                return write(text)

        stream.write = noted  # type: ignore[method-assign]

    def _run(self) -> None:
        while True:
            time.sleep(0.5)
            with self.lock, contextlib.suppress(OSError, ValueError):  # nobody reads any more
                self.look(time.monotonic())

    def look(self, now: float) -> None:
        """Say something, if it is time."""
        wait = self.waits[-1] if self.waits else None
        if wait is None or self.hushed or (wait.once and wait.said >= self.heard):
            return
        if wait.early and _is_terminal(sys.stderr):
            if now - wait.since > EARLY:
                self._show(wait.words())
        elif now - self.heard >= QUIET:
            sys.stderr.write(f"{wait.words()} ({_span(now - wait.since)})\n")
            sys.stderr.flush()
            now = time.monotonic()
            self.heard = wait.said = now

    def _show(self, words: str) -> None:
        """On a line that goes away again."""
        cut = words[: shutil.get_terminal_size().columns - 1]
        os.write(sys.stderr.fileno(), f"\r{cut}\x1b[K".encode(sys.stderr.encoding, "replace"))
        self.shown = True

    def clear(self) -> None:
        """Take away the line that was shown."""
        if self.shown:
            self.shown = False
            os.write(sys.stderr.fileno(), b"\r\x1b[K")


_watch = _Watch()


@contextlib.contextmanager
def watched(words: str) -> Iterator[None]:
    """A whole command: ``words`` are for what nobody has named."""
    _watch.begin()
    with waiting(lambda: words):
        yield


@contextlib.contextmanager
def waiting(words: Words, *, early: bool = False, once: bool = False) -> Iterator[None]:
    """While something is waited for: ``words`` says for what, as it is then.

    ``early``: on a terminal from the first second on, and gone when it is over. ``once``: once
    for each silence, where silence is what may be expected.
    """
    wait = _Wait(words, early, once, time.monotonic())
    with _watch.lock:
        _watch.waits.append(wait)
    try:
        yield
    finally:
        with _watch.lock:
            _watch.waits.remove(wait)
            _watch.clear()


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """While a person is asked, or has the terminal."""
    _watch.hushed += 1
    try:
        yield
    finally:
        _watch.hushed -= 1
        _watch.heard = time.monotonic()


def sleep(seconds: float, words: str) -> None:
    """Wait, and let it be known why."""
    end = time.monotonic() + seconds
    with waiting(lambda: f"{words}: {max(0, end - time.monotonic()):.0f} s to go"):
        time.sleep(seconds)


def names(many: list[str], shown: int = 3) -> str:
    """Some of them, and how many more."""
    more = len(many) - shown
    return ", ".join(many[:shown]) + (f" and {more} more" if more > 0 else "")


def _is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"


def _span(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
