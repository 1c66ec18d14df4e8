"""Plans to nodes, all at the same time; one result per node.

``nodriza.rollout.turns`` says who may change: those that others need first
(``nodriza.plan.order``), then few at a time of the nodes that serve.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from nodriza import alive
from nodriza.ending import stopped_by_ctrl_c
from nodriza.errors import Interrupted
from nodriza.plan.order import Before, in_order
from nodriza.plan.plan import Plan
from nodriza.plan.secret_uses import refuse_unfit
from nodriza.report.result import NodeResult
from nodriza.report.words import at_work_on
from nodriza.rollout.node import Events, bring
from nodriza.rollout.run import Run
from nodriza.rollout.turns import Turns
from nodriza.ssh import events

STOPPED = 0.2
"""Seconds until a Ctrl-C is told of, where no host says anything."""
BEGUN = 300.0
"""Seconds that a run which has changed something already waits for a host that another run has:
its other nodes are not to be left with half of it."""


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
        futures = {plan.node: pool.submit(bring, run, plan, wait, heard) for plan in plans}
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
