"""Plans to nodes, all at the same time; one result per node.

``nodriza.rollout.turns`` says who may change: those that others need first
(``nodriza.plan.order``), then few at a time of the nodes that serve.
"""

from __future__ import annotations

import contextlib
import getpass
import queue
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nodriza import alive, foreign
from nodriza.ending import stopped_by_ctrl_c
from nodriza.errors import ConnectionFailed, HostRefused, Interrupted, NodrizaError
from nodriza.plan.order import Before, in_order
from nodriza.plan.plan import Plan
from nodriza.plan.secret_uses import refuse_unfit
from nodriza.report.result import NodeResult
from nodriza.report.words import at_work_on
from nodriza.rollout.revision import revision
from nodriza.rollout.taken import Taken
from nodriza.rollout.turns import Turns
from nodriza.ssh import events
from nodriza.ssh.channel import exchange
from nodriza.ssh.client import Connection
from nodriza.ssh.connection import PARALLEL, Connections
from nodriza.ssh.events import Event

if TYPE_CHECKING:
    from nodriza.inventory import Cluster
    from nodriza.report import Report
    from nodriza.source.tree import Source

STOPPED = 0.2
"""Seconds until a Ctrl-C is told of, where no host says anything."""
CLOCKS_MAY_DIFFER = 60  # seconds
BEGUN = 300.0
"""Seconds that a run which has changed something already waits for a host that another run has:
its other nodes are not to be left with half of it."""
LOOKS = 600
"""Seconds within which a host has compared a plan; it may have to ask a hundred programs."""
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
    deadline: float | None = None
    """Seconds that a host has for all of it; without it a check has ``LOOKS``, and a change
    takes the time that it takes."""
    parallel: int = PARALLEL
    serial: str = ""
    """How many nodes that serve change at a time: a number or a percentage of the children;
    without it as the inventory says."""
    max_failures: int | None = None
    """How many of them may fail before the others are left alone; as the inventory says."""
    wait: float = 0
    """Seconds to wait for a host that another run has taken."""
    sources: Mapping[str, Source] = field(default_factory=dict)
    """What hosts may ask for, by its SHA-256 (``Upload``)."""
    waves: Sequence[Callable[[dict[str, NodeResult]], list[Plan]]] = ()
    """What follows from the results so far: each gives the plans of one wave more."""
    kept: dict[str, Connection] = field(default_factory=dict)
    """Of nodes whose releases this run has to itself, open until all of it is over."""
    connections: Connections | None = None
    """Where some were begun ahead; the threads of all nodes take theirs from it."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Set by the first Ctrl-C: every node ends after the resource that it is at."""
    id: str = field(
        default_factory=lambda: (
            time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) + "-" + secrets.token_hex(3)
        )
    )

    def __post_init__(self) -> None:
        if self.check and self.deadline is None:
            self.deadline = patience(self.cluster, LOOKS)
        self._revision = "" if self.check else revision(self.cluster.path)
        self.ways = self.connections or Connections(self.cluster)
        self.turns = Turns.of(self.cluster, self.serial, self.max_failures, self.stop)
        """Of the wave that is under way: a failure in one keeps nobody from the next."""
        self.places = threading.Semaphore(self.parallel)
        """Of the wave as well: one for each node that is at work."""

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
            "releases": plan.releases,
            "cluster": self.cluster.name,
            "whole": plan.whole,
            "secrets": {name: self.secrets[name] for name in sorted(plan.secrets)},
            "resources": plan.to_request(),
        }


def roll_out(run: Run, plans: Sequence[Plan]) -> dict[str, NodeResult]:
    """Bring every plan to its node: all are looked at side by side, those that others need change
    first.

    One node's failure never hides another's result; when one fails that others need, these
    are left alone and say so. Then come the run's further waves, without
    the nodes on which something went wrong.
    """
    began = time.monotonic()
    results: dict[str, NodeResult] = {}
    refuse_unfit(plans, run.secrets)
    run.report.start([(plan.node, len(plan.resources)) for plan in plans])
    try:
        with stopped_by_ctrl_c(run.stop):
            _wave(run, plans, results, run.wait)
            for follow in run.waves:
                bad = {name for name, result in results.items() if result.bad}
                well = [plan for plan in follow(results) if plan.node not in bad]
                if well and run.stop.is_set():
                    _leave_out(run, well, results)
                    break
                if well:
                    refuse_unfit(well, run.secrets)
                    _wave(run, well, results, max(run.wait, BEGUN))
    finally:  # the recap comes whatever happens, also after Ctrl-C
        for connection in run.kept.values():
            connection.close()
        order = {node.name: number for number, node in enumerate(run.cluster.nodes)}
        order |= {plan.node: number for number, plan in enumerate(plans, -len(plans))}
        results = dict(sorted(results.items(), key=lambda item: order[item[0]]))
        run.report.finish(results, time.monotonic() - began, run.check)
    return results


def patience(cluster: Cluster, seconds: float) -> float:
    """The same on real machines; longer on a lab's that are emulated."""
    return max(seconds, 10 * cluster.lab_overlay.patience if cluster.lab_overlay else 0)


def exit_code(results: dict[str, NodeResult]) -> int:
    """0 all well, 130 interrupted, 1 anything else that went wrong on any node."""
    if any(isinstance(result.error, Interrupted) for result in results.values()):
        return Interrupted.exit_code
    return int(any(result.bad for result in results.values()))


def _wave(run: Run, plans: Sequence[Plan], results: dict[str, NodeResult], wait: float) -> None:
    together = [plan.node for plan in plans if plan.together]
    before: Before = {}
    # A look changes nothing that another node could wait for.
    if not run.check and len(plans) > 1:
        by_name = {plan.node: plan for plan in plans}
        before = in_order(run.cluster, by_name)
        plans = [by_name[name] for name in before]
    run.turns = Turns.of(run.cluster, run.serial, run.max_failures, run.stop, before, together)
    heard: Events = queue.Queue()
    # Those that wait for each other are all begun; whoever waits has given up its place.
    pool = ThreadPoolExecutor(len(plans) if together else min(run.parallel, len(plans)))
    run.places = threading.Semaphore(run.parallel)
    doing = dict.fromkeys((plan.node for plan in plans), "waits")
    told = False
    try:
        futures = {plan.node: pool.submit(_node, run, plan, wait, heard) for plan in plans}
        events.prepare()  # while the hosts are on their way
        with alive.waiting(lambda: _at_work(doing, len(plans)), early=bool(run.ask)):
            while futures:
                if run.stop.is_set() and not told:
                    told = True
                    for name in futures:
                        run.report.event(name, {"event": "stopping"})
                try:
                    name, event = heard.get(timeout=STOPPED)
                except queue.Empty:
                    continue
                if event is not None:
                    doing[name] = at_work_on(event, doing[name])
                    run.report.event(name, event)
                    continue
                results[name] = futures.pop(name).result().after(results.get(name))
                del doing[name]
                run.report.done(name, results[name])
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _leave_out(run: Run, plans: Sequence[Plan], results: dict[str, NodeResult]) -> None:
    """A wave that is not begun any more: without it the run has not come to its end."""
    for plan in plans:
        left = NodeResult(plan.node, skipped=len(plan.resources), denied=True)
        left = left.after(results.get(plan.node))
        left.error = Interrupted(
            "stopped before its next step",
            where=plan.node,
            kept="what this run did on it stays" if left.changed else "nothing was changed on it",
            do="run the same command again",
        )
        results[plan.node] = left
        run.report.done(plan.node, left)


def _at_work(doing: dict[str, str], nodes: int) -> str:
    """ "2 of 4 nodes are done; server-2: package:nginx, server-3: waits for its turn"."""
    going = alive.names([f"{node}: {what}" for node, what in list(doing.items())])
    return f"{nodes - len(doing)} of {nodes} nodes are done; {going}"


def _node(run: Run, plan: Plan, wait: float, events: Events) -> NodeResult:
    """One node, in a thread of the pool."""
    began = time.monotonic()
    result = NodeResult(node=plan.node)
    taken = Taken(plan.node, wait, run.stop)

    def heard(event: Event) -> bool | None:
        if event["event"] == "busy":
            if wait and event["holder"] != taken.holder:
                taken.holder = event["holder"]
                events.put((plan.node, {"event": "warning", "words": taken.words}))
            taken.holder = event["holder"]
            return None
        taken.holder = None
        if event["event"] == "resource":
            event["origin"] = plan.origin(event["id"])
        _note(result, event)
        events.put((plan.node, event))
        if event["event"] == "start":
            run.turns.begun(plan.node)
            if words := _wrong_clock(event["clock"]):
                events.put((plan.node, {"event": "warning", "words": words}))
        if event["event"] != "turn":
            return None
        result.serves = event["serves"]
        run.places.release()
        try:
            result.denied = not run.turns.take(plan.node, serves=result.serves)
        finally:
            run.places.acquire()
        return not result.denied

    try:
        events.put((plan.node, {"event": "connecting"}))
        with run.places, _connected(run, plan) as connection:
            events.put((plan.node, {"event": "connected"}))
            if run.turns.begin(plan.node):
                while True:
                    exchange(
                        connection,
                        run.request(plan),
                        heard,
                        sudo_password=run.sudo_password,
                        stop=run.stop,
                        deadline=run.deadline,
                        sources=run.sources,
                    )
                    if not taken.again():
                        break
                if taken.holder is not None:
                    result.error = taken.refusal
            else:
                result.denied, result.skipped = True, len(plan.resources)
        if result.skipped and not result.bad:
            result.error = _cut_short(result, run)
    except NodrizaError as error:
        result.error = error
    except Exception as error:  # noqa: BLE001  one node must never hide the others
        words = f"{type(error).__name__}: {foreign.reason(error)}"
        result.error = ConnectionFailed(words, where=plan.node)
    finally:
        result.seconds = time.monotonic() - began
        run.turns.end(plan.node, result)
        events.put((plan.node, None))
    return result


@contextlib.contextmanager
def _connected(run: Run, plan: Plan) -> Iterator[Connection]:
    """To the plan's node; the agent that has the releases stays for as long as it is open."""
    kept = run.kept.get(plan.node)
    if kept and kept.is_connected:
        yield kept
        return
    with contextlib.ExitStack() as until:
        connection = until.enter_context(run.ways.take(run.cluster.node(plan.node)))
        if plan.releases:
            until.pop_all()
            run.kept[plan.node] = connection
        yield connection


def _note(result: NodeResult, event: Event) -> None:
    if event["event"] == "resource":
        setattr(result, event["status"], getattr(result, event["status"]) + 1)
        result.resources.append({**event, "diff": ""} if event["diff"] else event)
    elif event["event"] == "owed":
        result.owed.append(event["id"])
    elif event["event"] == "away":
        result.away = True
    elif event["event"] == "facts":
        result.facts, result.received = event, time.time()
    elif event["event"] == "error":
        words = foreign.quoted(event["words"]) or "it can't go on, and does not say why"
        result.error = HostRefused(words, where=result.node)


def _wrong_clock(clock: float) -> str:
    behind = time.time() - clock
    if abs(behind) < CLOCKS_MAY_DIFFER:
        return ""
    days, seconds = divmod(abs(int(behind)), 86400)
    span = f"{days} days" if days else f"{seconds} s"
    word = "behind" if behind > 0 else "ahead of"
    return f"its clock is {span} {word} this computer's: apt, TLS and sessions go wrong so"


def _cut_short(result: NodeResult, run: Run) -> NodrizaError:
    asked, failed = run.stop.is_set(), run.turns.failed
    again = "run the same command again"
    if not result.denied:
        skipped = (event["words"] for event in result.resources if event["status"] == "skipped")
        why = "as you asked" if asked else foreign.line(next(skipped))
        changed = result.changed and not run.check
        return (Interrupted if asked else HostRefused)(
            f"stopped between two resources: {why}",
            where=result.node,
            kept="what is due on the host is written down there"
            if changed or result.failed
            else "nothing was changed on it",
            do=f"{again}: it continues where this one stopped" if changed else again,
        )
    kept = "nothing was changed on it" if result.resources else "this node was not touched"
    if result.changed:
        kept = "what was changed on it needs no other node: packages, and more where it is new"
    if result.serves:
        kept += ", and it goes on serving"
    if asked:
        return Interrupted("its turn had not come", where=result.node, kept=kept, do=again)
    return HostRefused(
        f"left alone, because {', '.join(failed)} failed",
        where=result.node,
        kept=kept,
        do=f"do what the message of {failed[0]} says, then {again}",
    )
