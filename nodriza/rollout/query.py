"""Questions to hosts, all at once and without a report; nothing is changed by them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nodriza.plan.plan import Plan
from nodriza.rollout.run import Run, patience
from nodriza.rollout.waves import roll_out

if TYPE_CHECKING:
    from nodriza.inventory import Cluster
    from nodriza.report.result import NodeResult
    from nodriza.ssh.events import Event


DEADLINE = 120
"""Seconds within which a host has said how it is; a healthy one takes two or three."""


class Silent:
    """A report that says nothing."""

    def start(self, nodes: Sequence[tuple[str, int]]) -> None:
        """Nothing."""

    def event(self, node: str, event: Event) -> None:
        """Nothing."""

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
    run = Run(
        cluster,
        Silent(),
        secrets or {},
        "ask",
        check=True,
        ask=questions,
        deadline=patience(cluster, DEADLINE),
        **options,
    )
    return roll_out(run, plans)
