"""One node of a run: the way to it, its turn, and what it says."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Iterator

from nodriza import foreign
from nodriza.errors import ConnectionFailed, HostRefused, Interrupted, NodrizaError
from nodriza.plan.plan import Plan
from nodriza.report.result import NodeResult
from nodriza.rollout.moved import not_moved
from nodriza.rollout.run import Run
from nodriza.rollout.taken import Taken
from nodriza.ssh.channel import exchange
from nodriza.ssh.client import Connection
from nodriza.ssh.events import Event

CLOCKS_MAY_DIFFER = 60  # seconds
Events = queue.Queue[tuple[str, Event | None]]
"""(node, event); ``None`` when the node is done."""


def bring(run: Run, plan: Plan, wait: float, events: Events) -> NodeResult:
    """The plan to its node, in a thread of the pool; every failure is in the result."""
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
        if event["event"] == "moved":
            result.error = not_moved(run.cluster, plan, event["jobs"])
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
