"""Plans to nodes: the central first, then the rest side by side, one result per node.

Of the nodes that serve, only as many change at a time as ``nodriza.turns`` lets.
"""

from __future__ import annotations

import getpass
import queue
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nodriza.channel import Event, exchange
from nodriza.connection import connect
from nodriza.errors import ConnectionFailed, HostRefused, Interrupted, NodrizaError
from nodriza.plan import Plan
from nodriza.result import NodeResult
from nodriza.revision import revision
from nodriza.turns import Turns

if TYPE_CHECKING:
    from nodriza.inventory import Cluster
    from nodriza.report import Report

PARALLEL = 32
CLOCKS_MAY_DIFFER = 60  # seconds
Events = queue.Queue[tuple[str, Event | None]]
"""(node, event); ``None`` when the node is done."""


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
    ask: dict[str, Any] = field(default_factory=dict)
    """Questions of ``nodriza.agent.answers``: word to what about; ``NodeResult.facts``."""
    rollback: str = ""
    """The id of a run whose files are to come back, with what follows them in the plan."""
    parallel: int = PARALLEL
    serial: str = ""
    """How many nodes that serve change at a time: a number or a percentage of the children;
    without it as the inventory says."""
    max_failures: int | None = None
    """How many of them may fail before the others are left alone; as the inventory says."""
    after: Callable[[dict[str, NodeResult]], list[Plan]] = lambda results: []  # noqa: ARG005
    """What follows from the results of all nodes: plans for a last wave."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Set by the first Ctrl-C: every node ends after the resource that it is at."""
    id: str = field(
        default_factory=lambda: (
            time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) + "-" + secrets.token_hex(3)
        )
    )

    def __post_init__(self) -> None:
        self._revision = "" if self.check else revision(self.cluster.path)
        self.turns = Turns.of(self.cluster, self.serial, self.max_failures, self.stop)

    def request(self, plan: Plan) -> dict[str, Any]:
        """What one node is sent; only the secrets that its plan names."""
        return {
            "run": self.id,
            "mode": "check" if self.check else "apply",
            "diff": self.diff,
            "what": self.what,
            "who": {
                "who": getpass.getuser(),
                "from": socket.gethostname(),
                "revision": self._revision,
            },
            "ask": self.ask,
            "rollback": self.rollback,
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
        # A look changes nothing that another node could wait for.
        waves = [plans] if run.check else _waves(run.cluster, plans)
        for wave in waves:
            _wave_or_not(run, wave, results)
        last = [plan for plan in run.after(results) if not results[plan.node].bad]
        if last and not run.stop.is_set():
            _wave(run, last, results)
    finally:  # the recap comes whatever happens, also after Ctrl-C
        results = {plan.node: results[plan.node] for plan in plans if plan.node in results}
        run.report.finish(results, time.monotonic() - began, run.check)
    return results


def exit_code(results: dict[str, NodeResult]) -> int:
    """0 all well, 130 interrupted, 1 anything else that went wrong on any node."""
    if any(isinstance(result.error, Interrupted) for result in results.values()):
        return Interrupted.exit_code
    return int(any(result.bad for result in results.values()))


def _waves(cluster: Cluster, plans: Sequence[Plan]) -> list[list[Plan]]:
    central = [plan for plan in plans if plan.node == cluster.central.name]
    others = [plan for plan in plans if plan.node != cluster.central.name]
    return [wave for wave in (central, others) if wave]


def _wave_or_not(run: Run, plans: Sequence[Plan], results: dict[str, NodeResult]) -> None:
    """A wave, unless the one before it failed."""
    before = [name for name, result in results.items() if result.bad]
    if not run.stop.is_set() and (run.check or not before):
        _wave(run, plans, results)
        return
    for plan in plans:
        results[plan.node] = _left_alone(run, plan, before)
        run.report.done(plan.node, results[plan.node])


def _wave(run: Run, plans: Sequence[Plan], results: dict[str, NodeResult]) -> None:
    events: Events = queue.Queue()
    pool = ThreadPoolExecutor(min(run.parallel, len(plans)))
    try:
        futures = {plan.node: pool.submit(_node, run, plan, events) for plan in plans}
        while futures:
            name, event = _next(events, run, futures)
            if event is not None:
                run.report.event(name, event)
                continue
            results[name] = futures.pop(name).result().after(results.get(name))
            run.report.done(name, results[name])
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _next(events: Events, run: Run, going: Iterable[str]) -> tuple[str, Event | None]:
    """The next event. The first Ctrl-C asks all nodes to stop, the second goes through."""
    while True:
        try:
            return events.get()
        except KeyboardInterrupt:
            if run.stop.is_set():
                raise
            run.stop.set()
            for name in going:
                run.report.event(name, {"event": "stopping"})


def _node(run: Run, plan: Plan, events: Events) -> NodeResult:
    """One node, in a thread of the pool."""
    began = time.monotonic()
    result = NodeResult(node=plan.node)
    node = run.cluster.node(plan.node)

    def heard(event: Event) -> bool | None:
        if event["event"] == "resource":
            event["origin"] = plan.origin(event["id"])
        _note(result, event)
        events.put((plan.node, event))
        if event["event"] == "start" and (words := _wrong_clock(event["clock"])):
            events.put((plan.node, {"event": "warning", "words": words}))
        return run.turns.take(plan.node) if event["event"] == "turn" else None

    try:
        events.put((plan.node, {"event": "connecting"}))
        with connect(node, run.cluster) as connection:
            events.put((plan.node, {"event": "connected"}))
            exchange(
                connection,
                run.request(plan),
                heard,
                sudo_password=run.sudo_password,
                stop=run.stop,
            )
        if result.skipped and not result.bad:
            result.error = _cut_short(result, run)
    except NodrizaError as error:
        result.error = error
    except Exception as error:  # noqa: BLE001  one node must never hide the others
        result.error = ConnectionFailed(f"{type(error).__name__}: {error}", where=plan.node)
    finally:
        result.seconds = time.monotonic() - began
        run.turns.end(plan.node, result)
        events.put((plan.node, None))
    return result


def _note(result: NodeResult, event: Event) -> None:
    if event["event"] == "resource":
        setattr(result, event["status"], getattr(result, event["status"]) + 1)
        result.resources.append(event)
    elif event["event"] == "owed":
        result.owed.append(event["id"])
    elif event["event"] == "away":
        result.away = True
    elif event["event"] == "facts":
        result.facts = event
    elif event["event"] == "busy":
        result.error = _busy(event["holder"])
    elif event["event"] == "error":
        result.error = HostRefused(event["words"], where=result.node)


def _wrong_clock(clock: float) -> str:
    behind = time.time() - clock
    if abs(behind) < CLOCKS_MAY_DIFFER:
        return ""
    days, seconds = divmod(abs(int(behind)), 86400)
    span = f"{days} days" if days else f"{seconds} s"
    word = "behind" if behind > 0 else "ahead of"
    return f"its clock is {span} {word} this computer's: apt, TLS and sessions go wrong so"


def _cut_short(result: NodeResult, run: Run) -> NodrizaError:
    asked = run.stop.is_set()
    if run.turns.failed and not asked and not result.changed:
        return HostRefused(
            f"left alone, because {', '.join(run.turns.failed)} failed",
            where=result.node,
            kept="nothing was changed on it, and it goes on serving",
            do=f"mend {run.turns.failed[0]}, then run the same command again",
        )
    kind = Interrupted if asked else HostRefused
    return kind(
        f"stopped between two resources, {'as you asked' if asked else 'by a signal on the host'}",
        where=result.node,
        kept="what is due on the host is written down there",
        do="run the same command again: it goes on where this one stopped",
    )


def _busy(holder: dict[str, Any]) -> NodrizaError:
    who = "it has just begun"  # between taking the lock and writing its name down
    if holder:
        who = f"{holder.get('who')} from {holder.get('from')}, since {holder.get('since')}"
    return HostRefused(
        f"another run is at work on this host: {who}",
        kept="nothing was changed by this run",
        do="wait for it to end and run the same command again",
    )


def _left_alone(run: Run, plan: Plan, failed: Sequence[str]) -> NodeResult:
    if not failed or run.stop.is_set():
        error: NodrizaError = Interrupted(
            "its turn had not come",
            where=plan.node,
            kept="this node was not touched",
            do="run the same command again",
        )
    else:
        error = HostRefused(
            f"left alone, because {', '.join(failed)} failed",
            where=plan.node,
            kept="this node was not touched",
            do=f"mend {failed[0]}, then run the same command again",
        )
    return NodeResult(node=plan.node, skipped=len(plan.resources), error=error)
