"""How every node is, asked in one parallel pass: what runs, what is wrong, who is drained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from nodriza.plan.plan import Plan, plan_node
from nodriza.plan.render import Renderer
from nodriza.release.record import question
from nodriza.resources import Health, Mount, Package, Service
from nodriza.rollout.query import ask
from nodriza.ssh.facts import END
from nodriza.watch import backups, timers

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node
    from nodriza.report.result import NodeResult
    from nodriza.ssh.events import Resource

CLOCK = 2.0  # seconds; below, it is the network and not the clock
SOON = 21  # days; a certificate that is to be renewed should have been by then


def look(
    cluster: Cluster, nodes: Sequence[Node], *, sudo_password: str | None = None
) -> dict[str, NodeResult]:
    """The state of each node's services and mounts, and its facts; changes nothing."""
    renderer = Renderer.of(cluster)
    plans = [_only_what_runs(plan_node(node, cluster, renderer)) for node in nodes]
    certificates = [cluster.tls.pair] if cluster.tls.on else []
    about = {
        "links": [cluster.app.current],
        "certificates": certificates,
    }
    about["marks"] = [Health.AWAY, Health.CLOSED]
    if files := backups.question(cluster):
        about["files"] = files
    questions = {"state": about, **question(cluster)}
    return ask(cluster, plans, questions, sudo_password=sudo_password)


def healthy(result: NodeResult) -> bool:
    """Everything that should run does, and nothing is owed."""
    return not (result.error or list(wrong(result)))


def wrong(result: NodeResult) -> Iterator[str]:
    """What is not as it should be on a node that answered."""
    state = result.state
    yield from (
        _not_ok(result.node, event) for event in result.resources if event["status"] != "ok"
    )
    yield from (f"{id} is owed a restart" for id in state["owed"])
    yield from _ill(result)
    for path, used in state["mounts"].items():
        if isinstance(used, dict):
            yield f"{path}: {used['error']}"
    for path, days in certificates(result).items():
        if days < SOON:
            yield f"{path} ends in {days} days" if days >= 0 else f"{path} ended {-days} days ago"
    yield from backups.wrong(result)
    yield from timers.wrong(result)
    if abs(lag(result)) > CLOCK:
        yield f"the clock is {lag(result):+.0f} s off"


def out_of_rotation(result: NodeResult) -> str:
    """Why visitors are not sent to a child; nothing when they are."""
    if result.error:
        return result.error.what
    return drained(result) or next(_ill(result), "")


def drained(result: NodeResult) -> str:
    """Who keeps the node out of rotation, in words; nothing when nobody does."""
    return f"drained ({', '.join(by)})" if (by := away(result)) else ""


def away(result: NodeResult) -> list[str]:
    """Who keeps the node out of rotation: ``operator``, ``run``; mostly nobody."""
    by: list[str] = [] if result.error else result.state["marks"][Health.AWAY]
    return by


def marks_of_maintenance(result: NodeResult) -> list[str]:
    """What is in the folder by which the web server of a node that answered knows of it."""
    found: list[str] = result.state["marks"].get(Health.CLOSED, [])
    return found


def maintenance(result: NodeResult) -> bool:
    """Whether its visitors get the page of ``fab maintenance``."""
    return not result.error and "on" in marks_of_maintenance(result)


def let_in(result: NodeResult) -> list[str]:
    """The addresses that see the site nevertheless, besides those in the inventory."""
    begins = "allow-"
    return [
        mark.removeprefix(begins)
        for mark in marks_of_maintenance(result)
        if mark.startswith(begins)
    ]


def lag(result: NodeResult) -> float:
    """Seconds by which the node's clock is ahead of this computer's."""
    return result.state["clock"] - result.received


def certificates(result: NodeResult) -> dict[str, int]:
    """Path to the whole days until it ends; those that are there."""
    ends = result.state["certificates"]
    return {path: _days_until(end) for path, end in ends.items() if end}


def _only_what_runs(plan: Plan) -> Plan:
    """No secret is in what is left, so a status needs none."""
    kept = (Service, Mount, Package, Health)
    return Plan(plan.node, tuple(p for p in plan.resources if isinstance(p.resource, kept)))


def _not_ok(node: str, event: Resource) -> str:
    """Its id, and what an id does not say."""
    if "steady" in event.get("gap", {}):
        unit = event["id"].partition(":")[2]
        return f"{event['id']} ends and begins again: fab logs:{node} --unit {unit}"
    return event["id"]


def _ill(result: NodeResult) -> Iterator[str]:
    for answer in result.state["health"].values():
        status, words = (0, answer["error"]) if isinstance(answer, dict) else answer
        if status not in (200, 404):  # 404: nothing was ever deployed here
            yield f"does not serve: {status or 'no answer:'} {words}"


def _days_until(end: str) -> int:
    when = datetime.strptime(end, END).replace(tzinfo=timezone.utc)
    return (when - datetime.now(timezone.utc)).days
