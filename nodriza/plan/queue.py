"""What waits in a broker: how long its queues are, and how one of them is emptied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node


@dataclass(frozen=True)
class Queue:
    """Lines for sh(1) that root runs on the node with the broker; each is the engine's own.

    ``lengths`` prints these lines, with a blank between two words:

    * ``waits NUMBER SINCE NAME`` for each queue: how many tasks wait, and when the oldest was
      sent, in seconds since the epoch or as ISO 8601 has it; ``-`` where nobody knows.
    * ``works NUMBER SINCE``: tasks that were given out and are not done yet, of all queues.
    * ``from ADDRESS``: who is connected.

    ``purge`` has the queue's name as ``$1``. It throws away what waits there, and prints how many.
    """

    lengths: str
    purge: str


Queues = Callable[["Node", "Cluster"], Queue]
Takes = Callable[["Node", "Cluster"], tuple[str, ...]]
"""From which queues a node takes tasks."""
