"""A host that another run has taken: that is told, or waited for."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from nodriza.errors import HostRefused, Interrupted, NodrizaError

AGAIN = 3.0
"""Seconds between two attempts: each is a command on the host that begins Python there."""


@dataclass
class Taken:
    """What one run does about one host; ``wait``: for how many seconds it asks again."""

    node: str
    wait: float
    stop: threading.Event
    holder: dict[str, str] | None = None
    """Who has it, as the last attempt heard; ``None`` when nobody has."""
    began: float = field(default_factory=time.monotonic)

    def again(self) -> bool:
        """Wait a little, if the host is taken and there is time; ``False``: it stays as it is."""
        left = self.began + self.wait - time.monotonic()
        return self.holder is not None and left > 0 and not self.stop.wait(min(AGAIN, left))

    @property
    def words(self) -> str:
        """For a person who watches: who has it, and how long this run waits."""
        return f"another run is at work on it: {_who(self.holder)}; waits up to {self.wait:.0f} s"

    @property
    def refusal(self) -> NodrizaError:
        """When there is no more waiting."""
        kept = "nothing was changed by this run"
        who = _who(self.holder)
        if self.stop.is_set():
            words = f"it was waiting for another run to end: {who}"
            return Interrupted(words, where=self.node, kept=kept, do="run the same command again")
        waited = f", and after {self.wait:.0f} s it still is" if self.wait else ""
        return HostRefused(
            f"another run is at work on this host: {who}{waited}",
            where=self.node,
            kept=kept,
            do="the same command when that one has ended; with --wait 600 it waits for it",
        )


def _who(holder: dict[str, str] | None) -> str:
    if not holder:
        return "it has just begun"  # between taking the lock and writing its name down
    who = f"{holder.get('who')} from {holder.get('from')}, since {holder.get('since')}"
    return f"{holder['what']} by {who}" if holder.get("what") else who
