"""Time in which this process ran."""

from __future__ import annotations

import time


class Awake:
    """A clock that leaves out the minutes in which the whole machine stood still.

    That happens to virtual machines: a snapshot, a migration. The system's clock goes on meanwhile
    (``CLOCK_MONOTONIC``), but nobody there could hear an answer or do any work. Ask this clock at
    least every ``longest`` seconds: of a pause between two questions no more counts.
    """

    def __init__(self, longest: float = 1.0) -> None:
        self.longest = longest
        self.begin_anew()

    def begin_anew(self) -> None:
        """From nought."""
        self._seconds = 0.0
        self._asked = time.monotonic()

    def seconds(self) -> float:
        """Since the beginning."""
        now = time.monotonic()
        self._seconds += min(now - self._asked, self.longest)
        self._asked = now
        return self._seconds
