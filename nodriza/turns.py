"""Who may change now: few of the nodes that serve at a time, and nobody after a failure."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from nodriza.errors import TargetError
from nodriza.inventory.text import SERIAL
from nodriza.result import NodeResult

if TYPE_CHECKING:
    from nodriza.inventory import Cluster


def refuse_bad_serial(serial: str) -> None:
    """Raises ``TargetError`` for what was typed after ``--serial`` and can't be."""
    if serial and not re.fullmatch(SERIAL, serial):
        raise TargetError(
            f"--serial {serial}: it is a number of children, or such a part of them",
            kept="no host was touched",
            do="--serial 2, or --serial 25%",
        )


def how_many(serial: str, children: int) -> int:
    """``serial`` is a number or a percentage of the children; at least one."""
    if serial.endswith("%"):
        return max(1, children * int(serial[:-1]) // 100)
    return int(serial)


class Turns:
    """Asked from the threads of the nodes.

    Only nodes that serve, and have something to change, ask: all others go on side by
    side, whatever ``serial`` says.
    """

    def __init__(self, serial: int, max_failures: int, stop: threading.Event) -> None:
        self.serial = serial
        self.max_failures = max_failures
        self.stop = stop
        self.failed: list[str] = []
        self._at_work: set[str] = set()
        self._changed = threading.Condition()

    @classmethod
    def of(
        cls, cluster: Cluster, serial: str, max_failures: int | None, stop: threading.Event
    ) -> Turns:
        """What was typed, else what the inventory says."""
        rollout = cluster.rollout
        return cls(
            how_many(serial or rollout.serial, len(cluster.children)),
            rollout.max_failures if max_failures is None else max_failures,
            stop,
        )

    def take(self, node: str) -> bool:
        """Wait for the turn of ``node``; ``False``: it never comes."""
        with self._changed:
            while not self._over() and len(self._at_work) >= self.serial:
                self._changed.wait(0.2)  # nobody tells us of a Ctrl-C
            if self._over():
                return False
            self._at_work.add(node)
            return True

    def end(self, node: str, result: NodeResult) -> None:
        """A node is at its end; whoever waits comes next."""
        with self._changed:
            if node in self._at_work:
                self._at_work.discard(node)
                self.failed += [node] if result.bad else []
            self._changed.notify_all()

    def _over(self) -> bool:
        return self.stop.is_set() or len(self.failed) > self.max_failures
