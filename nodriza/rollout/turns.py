"""Which node may change now: first those that others need, then a few serving nodes at a time.

After a failure, none.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from nodriza.errors import TargetError
from nodriza.inventory.text import SERIAL
from nodriza.report.result import NodeResult

if TYPE_CHECKING:
    from nodriza.inventory import Cluster
    from nodriza.plan.order import Before


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

    Only nodes that have something to change ask. Those that serve have to share ``serial``
    places, all others go on side by side. ``before`` has for a node those whose jobs it needs: it
    is looked at when they have begun, and changes when they are done. Where one of them failed, or
    was left alone itself, it is left alone. Of ``together`` nobody changes before all have asked
    or are at their end. One that fails before that keeps all others from changing; one that nobody
    got to does not.
    """

    def __init__(
        self,
        serial: int,
        max_failures: int,
        stop: threading.Event,
        before: Before | None = None,
        together: Iterable[str] = (),
    ) -> None:
        self.serial = serial
        self.max_failures = max_failures
        self.stop = stop
        self.before: Before = before or {}
        self.together = frozenset(together)
        self.failed: list[str] = []
        """Nodes whose failure may keep others from changing."""
        self._at_work: set[str] = set()
        self._begun: set[str] = set()
        self._asked: set[str] = set()
        self._done: set[str] = set()
        self._bad: set[str] = set()
        self._needed = frozenset().union(*self.before.values())
        self._changed = threading.Condition()

    @classmethod
    def of(
        cls,
        cluster: Cluster,
        serial: str,
        max_failures: int | None,
        stop: threading.Event,
        before: Before | None = None,
        together: Iterable[str] = (),
    ) -> Turns:
        """What was typed, else what the inventory says."""
        rollout = cluster.rollout
        return cls(
            how_many(serial or rollout.serial, len(cluster.children)),
            rollout.max_failures if max_failures is None else max_failures,
            stop,
            before,
            together,
        )

    def begin(self, node: str) -> bool:
        """Wait until ``node`` may be looked at; ``False``: it is to be left alone."""
        with self._changed:
            return self._wait(node, lambda: self._all_before(node, self._begun, self._done))

    def begun(self, node: str) -> None:
        """A node has been reached, and has taken its plan."""
        with self._changed:
            self._begun.add(node)
            self._changed.notify_all()

    def take(self, node: str, *, serves: bool) -> bool:
        """Wait for the turn of ``node`` to change; ``False``: it never comes."""
        with self._changed:
            self._asked.add(node)
            self._changed.notify_all()
            came = self._wait(
                node, lambda: self._all_before(node, self._done) and self._all_are_here()
            )
            if came and serves:
                came = self._wait(node, lambda: len(self._at_work) < self.serial)
            if came and serves:
                self._at_work.add(node)
            return came

    def end(self, node: str, result: NodeResult) -> None:
        """A node is at its end; whoever waits comes next."""
        with self._changed:
            early = node in self.together and not result.is_out_of_reach
            harm = early or node in self._needed or node in self._at_work
            if result.bad and harm and not result.denied:
                self.failed.append(node)
            self._at_work.discard(node)
            self._done.add(node)
            if result.bad:
                self._bad.add(node)
            self._changed.notify_all()

    def _wait(self, node: str, free: Callable[[], bool]) -> bool:
        while not (self._over(node) or free()):
            self._changed.wait(0.2)  # nobody tells us of a Ctrl-C
        return not self._over(node)

    def _all_before(self, node: str, *sets: set[str]) -> bool:
        return all(any(each in one for one in sets) for each in self.before.get(node, ()))

    def _all_are_here(self) -> bool:
        return self.together <= self._asked | self._done

    def _over(self, node: str) -> bool:
        borne = 0 if self.together else self.max_failures
        lost = not self._bad.isdisjoint(self.before.get(node, ()))
        return self.stop.is_set() or lost or len(self.failed) > borne
