"""Plans to nodes: waves in order, side by side within a wave, one result per node."""

from __future__ import annotations

import getpass
import queue
import secrets
import socket
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nodriza.channel import Event, exchange
from nodriza.connection import connect
from nodriza.errors import HostRefused, NodrizaError
from nodriza.plan import Plan
from nodriza.result import NodeResult

if TYPE_CHECKING:
    from nodriza.inventory import Cluster
    from nodriza.report import Report

PARALLEL = 32


@dataclass
class Run:
    """What is the same for all nodes of one run."""

    cluster: Cluster
    report: Report
    secrets: dict[str, str]
    what: str
    """The command as a person would type it, for the host's history."""
    check: bool = False
    diff: bool = False
    sudo_password: str | None = None
    facts: tuple[str, ...] = ()
    """Links to read; when given, each host sends its facts as well."""
    parallel: int = PARALLEL
    id: str = field(
        default_factory=lambda: (
            time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) + "-" + secrets.token_hex(3)
        )
    )

    def request(self, plan: Plan) -> dict[str, Any]:
        """What one node is sent; only the secrets that its plan names."""
        return {
            "run": self.id,
            "mode": "check" if self.check else "apply",
            "diff": self.diff,
            "what": self.what,
            "who": {"who": getpass.getuser(), "from": socket.gethostname()},
            "facts": list(self.facts),
            "secrets": {name: self.secrets[name] for name in sorted(plan.secrets)},
            "resources": plan.to_data(),
        }


def roll_out(run: Run, plans: Sequence[Plan]) -> dict[str, NodeResult]:
    """Bring every plan to its node: the central first, then the rest side by side.

    One node's failure never hides another's result; when the central fails, the nodes
    that depend on it are left alone and say so.
    """
    began = time.monotonic()
    results: dict[str, NodeResult] = {}
    run.report.start([(plan.node, len(plan.resources)) for plan in plans])
    try:
        for wave in _waves(run.cluster, plans):
            _wave_or_not(run, wave, results)
    finally:  # the recap comes whatever happens, also after Ctrl-C
        results = {plan.node: results[plan.node] for plan in plans if plan.node in results}
        run.report.finish(results, time.monotonic() - began, run.check)
    return results


def failed(results: dict[str, NodeResult]) -> bool:
    """Did anything go wrong on any node?"""
    return any(result.bad for result in results.values())


def _waves(cluster: Cluster, plans: Sequence[Plan]) -> list[list[Plan]]:
    central = [plan for plan in plans if plan.node == cluster.central.name]
    others = [plan for plan in plans if plan.node != cluster.central.name]
    return [wave for wave in (central, others) if wave]


def _wave_or_not(run: Run, plans: Sequence[Plan], results: dict[str, NodeResult]) -> None:
    """A wave, unless the one before it failed."""
    before = [name for name, result in results.items() if result.bad]
    if not before or run.check:
        _wave(run, plans, results)
        return
    for plan in plans:
        results[plan.node] = _left_alone(plan, before)
        run.report.done(plan.node, results[plan.node])


def _wave(run: Run, plans: Sequence[Plan], results: dict[str, NodeResult]) -> None:
    events: queue.Queue[tuple[str, Event | None]] = queue.Queue()
    with ThreadPoolExecutor(min(run.parallel, len(plans))) as pool:
        futures = {plan.node: pool.submit(_node, run, plan, events) for plan in plans}
        left = len(plans)
        while left:
            name, event = events.get()
            if event is not None:
                run.report.event(name, event)
                continue
            left -= 1
            results[name] = _outcome(name, futures[name])
            run.report.done(name, results[name])


def _outcome(name: str, future: Future[NodeResult]) -> NodeResult:
    try:
        return future.result()
    except NodrizaError as error:
        return NodeResult(node=name, error=error)


def _node(run: Run, plan: Plan, events: queue.Queue[tuple[str, Event | None]]) -> NodeResult:
    """One node, in a thread of the pool."""
    began = time.monotonic()
    result = NodeResult(node=plan.node)
    node = run.cluster.node(plan.node)

    def heard(event: Event) -> None:
        if event["event"] == "resource":
            event["origin"] = plan.origin(event["id"])
        _note(result, event)
        events.put((plan.node, event))

    try:
        events.put((plan.node, {"event": "connecting"}))
        with connect(node, run.cluster) as connection:
            events.put((plan.node, {"event": "connected"}))
            exchange(connection, run.request(plan), heard, sudo_password=run.sudo_password)
    except NodrizaError as error:
        result.error = error
    finally:
        result.seconds = time.monotonic() - began
        events.put((plan.node, None))
    return result


def _note(result: NodeResult, event: Event) -> None:
    if event["event"] == "resource":
        setattr(result, event["status"], getattr(result, event["status"]) + 1)
        result.resources.append(event)
    elif event["event"] == "owed":
        result.owed.append(event["id"])
    elif event["event"] == "facts":
        result.facts = event
    elif event["event"] == "busy":
        result.error = _busy(event["holder"])
    elif event["event"] == "error":
        result.error = HostRefused(event["words"], where=result.node)


def _busy(holder: dict[str, Any]) -> NodrizaError:
    return HostRefused(
        f"another run is at work on this host: {holder.get('who')} from"
        f" {holder.get('from')}, since {holder.get('since')}",
        kept="nothing was changed by this run",
        do="wait for it to end and run the same command again",
    )


def _left_alone(plan: Plan, failed: Sequence[str]) -> NodeResult:
    return NodeResult(
        node=plan.node,
        skipped=len(plan.resources),
        error=HostRefused(
            f"left alone, because {', '.join(failed)} failed",
            where=plan.node,
            kept="this node was not touched",
            do=f"mend {failed[0]}, then run the same command again",
        ),
    )
