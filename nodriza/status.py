"""How every node is, in one parallel pass: its services, mounts, release and facts."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from nodriza.ask import ask
from nodriza.plan import Plan, plan_node
from nodriza.render import Renderer
from nodriza.resources import Mount, Service

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node
    from nodriza.result import NodeResult


NARROW = 90  # columns; below, a table would have to cut names
COLUMNS = ("release", "up", "load", "mem", "disk", "last change")


def look(
    cluster: Cluster, nodes: Sequence[Node], *, sudo_password: str | None = None
) -> dict[str, NodeResult]:
    """The state of each node's services and mounts, and its facts; changes nothing."""
    renderer = Renderer.of(cluster)
    plans = [_only_what_runs(plan_node(node, cluster, renderer)) for node in nodes]
    about = {"links": [cluster.app.current], "certificates": []}
    return ask(cluster, plans, {"state": about}, sudo_password=sudo_password)


def healthy(result: NodeResult) -> bool:
    """Everything that should run does, and nothing is owed."""
    return not (result.error or result.changed or result.failed or result.facts["state"]["owed"])


def show(cluster: Cluster, results: dict[str, NodeResult]) -> None:
    """One screen for the whole cluster."""
    console = Console()
    title = f"{cluster.name} ({cluster.domain})"
    rows = [_row(cluster, name, result) for name, result in results.items()]
    if console.width < NARROW:
        console.print(Group(title, *(part for row in rows for part in _narrow(row))))
        return
    table = Table(title=title, title_justify="left")
    table.add_column("node", no_wrap=True)
    table.add_column("state", overflow="fold")
    for column in COLUMNS[:-1]:
        table.add_column(column, no_wrap=True)
    table.add_column(COLUMNS[-1], overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _row(cluster: Cluster, name: str, result: NodeResult) -> list[str]:
    """Name, state, and what ``COLUMNS`` says, unless the node did not answer."""
    if result.error:
        return [name, f"[red]{escape(result.error.what)}[/]"]
    facts = result.facts["state"]
    last = facts.get("last_run") or {}
    return [
        name,
        _state(result),
        _release(facts["links"].get(cluster.app.current)),
        _span(facts["uptime"]),
        f"{facts['load']:.1f}",
        f"{facts['memory']} %",
        f"{facts['disk']} %",
        f"{last.get('when', 'never')[:16].replace('T', ' ')} {last.get('who', '')}".strip(),
    ]


def _narrow(row: list[str]) -> list[RenderableType]:
    """A few short lines for a node, where a table has no room."""
    name, state, *rest = row
    facts = [f"{word} {value}" for word, value in zip(COLUMNS, rest, strict=False)]
    lines = [state, *facts[:1], ", ".join(facts[1:-1]), *facts[-1:]]
    inside = "\n".join(line for line in lines if line)
    return [f"[bold]{name}[/]", Padding(inside, (0, 0, 0, 2))]


def as_json(results: dict[str, NodeResult]) -> str:
    """The same for machines; times in seconds."""
    return json.dumps(
        {
            name: {
                "error": result.error and str(result.error),
                "healthy": healthy(result),
                "facts": result.facts,
                "resources": {event["id"]: event["status"] == "ok" for event in result.resources},
            }
            for name, result in results.items()
        }
    )


def _only_what_runs(plan: Plan) -> Plan:
    """No secret is in what is left, so a status needs none."""
    kept = tuple(p for p in plan.resources if isinstance(p.resource, (Service, Mount)))
    return Plan(plan.node, kept)


def _state(result: NodeResult) -> str:
    wrong = [event["id"] for event in result.resources if event["status"] != "ok"]
    owed = [f"{id} is owed a restart" for id in result.facts["state"]["owed"]]
    if wrong or owed:
        return "[red]" + "\n".join([*wrong, *owed]) + "[/]"
    return f"[green]{len(result.resources)} of {len(result.resources)} well[/]"


def _release(target: Any) -> str:
    return PurePosixPath(target).name if target else "-"


def _span(seconds: int) -> str:
    if seconds < 3600:
        return time.strftime("%M:%S", time.gmtime(seconds))
    days, hours = seconds // 86400, seconds % 86400 // 3600
    return f"{days} d {hours} h" if days else f"{hours} h"
