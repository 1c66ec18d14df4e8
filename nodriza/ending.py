"""An end from outside: it still goes through the finally clauses, or only asks for one."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

DEADLY = (signal.SIGTERM, signal.SIGHUP)


@contextlib.contextmanager
def in_order() -> Iterator[None]:
    """Meanwhile a kill and a closed terminal end this process as ``sys.exit`` does.

    By themselves they end it at once, and what was to be tidied up stays (signal(7)).
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # which alone may set handlers
        return
    before = {number: signal.signal(number, _leave) for number in DEADLY}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


@contextlib.contextmanager
def stopped_by_ctrl_c(stop: threading.Event) -> Iterator[None]:
    """Meanwhile the first Ctrl-C sets ``stop``, wherever it comes; the second goes through."""

    def told(*_: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, told)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
