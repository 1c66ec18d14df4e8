"""What came of one node."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nodriza.errors import ConnectionFailed, NodrizaError

if TYPE_CHECKING:
    from nodriza.ssh.events import Facts, Resource
    from nodriza.ssh.facts import State

NOTHING: Facts = {"event": "facts"}


@dataclass
class NodeResult:
    """One for every node of a run, whatever happened; filled while its events arrive.

    ``error`` is what kept the node from being brought to its end at all; a resource that
    failed is counted in ``failed`` and told among ``resources`` (the agent's events).
    ``owed`` names what an earlier run left due and this one made good.
    """

    node: str
    ok: int = 0
    changed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    error: NodrizaError | None = None
    resources: list[Resource] = field(default_factory=list)
    """Without their diffs, which may be long and were shown when they came."""
    owed: list[str] = field(default_factory=list)
    facts: Facts = field(default_factory=lambda: NOTHING)
    received: float = 0.0
    """When the facts came, by this computer's clock, in seconds since the epoch."""
    away: bool = False
    """Whether it served before, and was out of rotation while it changed."""
    serves: bool = False
    """Whether it said so when it asked for its turn."""
    denied: bool = False
    """Whether it waited for its turn, and the turn never came."""

    @property
    def bad(self) -> bool:
        """Did anything go wrong here?"""
        return self.error is not None or self.failed > 0

    @property
    def is_out_of_reach(self) -> bool:
        """Whether nothing was done there, because nobody got there."""
        return isinstance(self.error, ConnectionFailed) and not self.resources

    @property
    def state(self) -> State:
        """How a node is that was asked, and has answered: only where there is no ``error``."""
        return self.facts["state"]  # nodriza.ssh.conversation has seen to it

    def after(self, first: NodeResult | None) -> NodeResult:
        """This one, with what came of a visit before it in the same run."""
        if first is not None:
            for name in ("ok", "changed", "failed", "skipped", "seconds"):
                setattr(self, name, getattr(self, name) + getattr(first, name))
            self.resources[:0], self.owed[:0] = first.resources, first.owed
        return self
