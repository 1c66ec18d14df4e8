"""How all that a database keeps leaves it as text, and how it comes back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node


@dataclass(frozen=True)
class Dump:
    """Lines for sh(1) that root runs on the node with the database; each is the engine's own.

    ``save`` prints everything, compressed by gzip. The last line of a whole one begins with
    ``end``. ``holds`` prints how many tables there are.

    ``load`` reads what ``save`` prints. It puts the new tables in the place of the old ones in one
    step, and only when stdin has come to its end and all of it was right; else it leaves the old
    ones, and an exit code.

    ``client`` is for a person, or reads statements from stdin.
    """

    save: str
    end: str
    holds: str
    load: str
    client: str


Dumps = Callable[["Node", "Cluster"], Dump]
