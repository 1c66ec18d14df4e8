"""How every node is, in one parallel pass: its services, mounts, release and facts."""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from nodriza.ask import ask
from nodriza.errors import Interrupted
from nodriza.plan import Plan, plan_node
from nodriza.render import Renderer
from nodriza.report.words import count
from nodriza.resources import Health, Mount, Package, Service

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node
    from nodriza.result import NodeResult


NARROW = 100  # columns; below, a table would have to cut names
COLUMNS = ("release", "up", "load", "mem", "disk", "share", "clock", "last run")
CLOCK = 2.0  # seconds; below, it is the network and not the clock
SOON = 21  # days; a certificate that is to be renewed should have been by then


def look(
    cluster: Cluster, nodes: Sequence[Node], *, sudo_password: str | None = None
) -> dict[str, NodeResult]:
    """The state of each node's services and mounts, and its facts; changes nothing."""
    renderer = Renderer.of(cluster)
    plans = [_only_what_runs(plan_node(node, cluster, renderer)) for node in nodes]
    certificates = [cluster.tls.pair] if cluster.tls.on else []
    about = {"links": [cluster.app.current], "certificates": certificates, "marks": [Health.AWAY]}
    return ask(cluster, plans, {"state": about}, sudo_password=sudo_password)


def healthy(result: NodeResult) -> bool:
    """Everything that should run does, and nothing is owed."""
    return not (result.error or list(wrong(result)))


def wrong(result: NodeResult) -> Iterator[str]:
    """What is not as it should be on a node that answered."""
    state = result.facts["state"]
    yield from (event["id"] for event in result.resources if event["status"] != "ok")
    yield from (f"{id} is owed a restart" for id in state["owed"])
    yield from _ill(state)
    for path, used in state["mounts"].items():
        if isinstance(used, dict):
            yield f"{path}: {used['error']}"
    for path, days in certificates(result).items():
        if days < SOON:
            yield f"{path} ends in {days} days" if days >= 0 else f"{path} ended {-days} days ago"
    if abs(lag(result)) > CLOCK:
        yield f"the clock is {lag(result):+.0f} s off"


def out_of_rotation(result: NodeResult) -> str:
    """Why visitors are not sent to a child; nothing when they are."""
    if result.error:
        return result.error.what
    state = result.facts["state"]
    return next(itertools.chain(_drained(state), _ill(state)), "")


def lag(result: NodeResult) -> float:
    """Seconds by which the node's clock is ahead of this computer's."""
    return float(result.facts["state"]["clock"]) - float(result.facts["received"])


def certificates(result: NodeResult) -> dict[str, int]:
    """Path to the whole days until it ends; those that are there."""
    ends = result.facts["state"]["certificates"]
    return {path: _days_until(end) for path, end in ends.items() if end}


def show(cluster: Cluster, results: dict[str, NodeResult]) -> None:
    """One screen for the whole cluster."""
    console = Console(highlight=False)
    console.print(screen(cluster, results, console.width))


def watch(cluster: Cluster, nodes: Sequence[Node], pause: float, **options: Any) -> None:
    """The screen again and again, ``pause`` seconds after each look, until Ctrl-C."""
    console = Console(highlight=False)
    console.print(f"looking at {count(len(nodes), 'node')} …")
    with contextlib.suppress(KeyboardInterrupt), Live(console=console, screen=True) as live:
        while True:
            results = look(cluster, nodes, **options)
            if any(isinstance(result.error, Interrupted) for result in results.values()):
                return  # Ctrl-C during the look
            live.update(screen(cluster, results, console.width), refresh=True)
            time.sleep(pause)


def screen(cluster: Cluster, results: dict[str, NodeResult], width: int) -> RenderableType:
    """The same, to be shown again and again."""
    title = f"{cluster.name} ({cluster.domain}) {time.strftime('%Y-%m-%d %H:%M:%S')}"
    rows = [_row(cluster, name, result) for name, result in results.items()]
    below = [Text(line) for line in _in_common(results)]
    if width < NARROW:
        return Group(title, *(part for row in rows for part in _narrow(row)), *below)
    table = Table(title=title, title_justify="left")
    table.add_column("node", no_wrap=True)
    table.add_column("state", overflow="fold")
    for column in COLUMNS[:-1]:
        table.add_column(column, no_wrap=True)
    table.add_column(COLUMNS[-1], overflow="fold")
    for row in rows:
        table.add_row(*row)
    return Group(table, *below)


def _row(cluster: Cluster, name: str, result: NodeResult) -> list[str]:
    """Name, state, and what ``COLUMNS`` says, unless the node did not answer."""
    if result.error:
        return [name, f"[red]{escape(result.error.what)}[/]"]
    state = result.facts["state"]
    return [
        name,
        _state(result),
        _release(state["links"].get(cluster.app.current)),
        _span(state["uptime"]),
        f"{state['load']:.1f}",
        f"{state['memory']} %",
        f"{state['disk']} %",
        _share(state["mounts"]),
        "ok" if abs(lag(result)) <= CLOCK else f"[red]{lag(result):+.0f} s[/]",
        _last_run(state["last_run"]),
    ]


def _narrow(row: list[str]) -> list[RenderableType]:
    """A few short lines for a node, where a table has no room."""
    name, state, *rest = row
    facts = [f"{word} {value}" for word, value in zip(COLUMNS, rest, strict=False)]
    lines = [state, *facts[:1], ", ".join(facts[1:-1]), *facts[-1:]]
    inside = "\n".join(line for line in lines if line)
    return [f"[bold]{name}[/]", Padding(inside, (0, 0, 0, 2))]


def _in_common(results: dict[str, NodeResult]) -> Iterator[str]:
    """What most nodes share, a line each: systems, versions, certificates."""
    shared: dict[str, list[str]] = {}
    for name, result in results.items():
        if not result.error:
            for words in _shared(result):
                shared.setdefault(words, []).append(name)
    for words, names in shared.items():
        yield f"{words}: {', '.join(names) if len(names) < len(results) else 'all'}"


def _shared(result: NodeResult) -> Iterator[str]:
    yield result.facts["state"]["system"]
    versions = result.facts["state"]["versions"]
    units = [e["id"].partition(":")[2] for e in result.resources if e["id"].startswith("service:")]
    for unit in units:
        name = next((n for n in versions if n == unit or n.startswith(f"{unit}-")), None)
        if name:
            yield f"{name} {_upstream(versions[name])}"
    for days in certificates(result).values():
        yield f"certificate ends in {days} days"


def as_json(results: dict[str, NodeResult]) -> str:
    """The same for machines; times in seconds."""
    return json.dumps(
        {
            name: {
                "error": result.error and str(result.error),
                "healthy": healthy(result),
                "wrong": [] if result.error else list(wrong(result)),
                "clock_lag": None if result.error else round(lag(result), 3),
                "facts": result.facts.get("state"),
                "resources": {event["id"]: event["status"] == "ok" for event in result.resources},
            }
            for name, result in results.items()
        }
    )


def _only_what_runs(plan: Plan) -> Plan:
    """No secret is in what is left, so a status needs none."""
    kept = (Service, Mount, Package, Health)
    return Plan(plan.node, tuple(p for p in plan.resources if isinstance(p.resource, kept)))


def _drained(state: dict[str, Any]) -> Iterator[str]:
    if away := state["marks"][Health.AWAY]:
        yield f"drained ({', '.join(away)})"


def _ill(state: dict[str, Any]) -> Iterator[str]:
    for answer in state["health"].values():
        status, words = (0, answer["error"]) if isinstance(answer, dict) else answer
        if status not in (200, 404):  # 404: nothing was ever deployed here
            yield f"does not serve: {status or 'no answer:'} {words}"


def _state(result: NodeResult) -> str:
    drained = [f"[yellow]{words}[/]" for words in _drained(result.facts["state"])]
    if trouble := list(wrong(result)):
        return "\n".join([*drained, "[red]" + escape("\n".join(trouble)) + "[/]"])
    running = sum(not event["id"].startswith("package:") for event in result.resources)
    return "\n".join([*drained, f"[green]{running} of {running} well[/]"])


def _share(mounts: dict[str, Any]) -> str:
    return ", ".join(f"{used} %" if isinstance(used, int) else "?" for used in mounts.values())


def _release(target: Any) -> str:
    return PurePosixPath(target).name if isinstance(target, str) else "-"


def _last_run(run: dict[str, Any] | None) -> str:
    if not run:
        return "never"
    changed = run["counts"]["changed"]
    result = "failed" if run["counts"]["failed"] else f"{changed or 'nothing'} changed"
    what = str(run["what"]).partition(":")[0]
    return f"{run['when'][:16].replace('T', ' ')} {run['who']}: {what}, {result}"


def _days_until(end: str) -> int:
    """From openssl's "Dec 31 23:59:59 2026 GMT"."""
    when = datetime.strptime(end, "%b %d %H:%M:%S %Y %Z").replace(tzinfo=timezone.utc)
    return (when - datetime.now(timezone.utc)).days


def _upstream(version: str) -> str:
    """Without Debian's epoch and revision (deb-version(7))."""
    return version.partition(":")[2].rpartition("-")[0] or version.rpartition("-")[0] or version


def _span(seconds: int) -> str:
    if seconds < 3600:
        return time.strftime("%M:%S", time.gmtime(seconds))
    days, hours = seconds // 86400, seconds % 86400 // 3600
    return f"{days} d {hours} h" if days else f"{hours} h"
