"""Questions to hosts, all at once and without a report; nothing is changed by them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nodriza.plan import Plan
from nodriza.rollout import Run, roll_out

if TYPE_CHECKING:
    from nodriza.channel import Event
    from nodriza.inventory import Cluster
    from nodriza.result import NodeResult


class Silent:
    """A report that says nothing, and notes when an answer came."""

    def start(self, nodes: Sequence[tuple[str, int]]) -> None:
        """Nothing."""

    def event(self, node: str, event: Event) -> None:  # noqa: ARG002
        """The time, beside the node's own: its clock may be wrong."""
        if event["event"] == "facts":
            event["received"] = time.time()

    def done(self, node: str, result: NodeResult) -> None:
        """Nothing."""

    def finish(self, results: dict[str, NodeResult], seconds: float, check: bool) -> None:
        """Nothing."""


def ask(
    cluster: Cluster,
    plans: Sequence[Plan],
    questions: dict[str, Any],
    *,
    secrets: dict[str, str] | None = None,
    **options: Any,
) -> dict[str, NodeResult]:
    """What each node's ``facts`` say, and how its plan compares.

    ``questions``: words of ``nodriza.agent.answers`` with what they are about.
    """
    run = Run(cluster, Silent(), secrets or {}, "ask", check=True, ask=questions, **options)
    return roll_out(run, plans)
