"""One screen for the whole cluster: services, mounts, release and facts of every node."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from nodriza.errors import Interrupted
from nodriza.release.release import Release
from nodriza.watch import backups, timers
from nodriza.watch.health import (
    CLOCK,
    certificates,
    drained,
    healthy,
    lag,
    look,
    maintenance,
    wrong,
)
from nodriza.wording import count

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node
    from nodriza.report.result import NodeResult
    from nodriza.ssh.facts import Run


NARROW = 100  # columns; below, a table would have to cut names
COLUMNS = ("release", "up", "load", "mem", "disk", "share", "clock", "last run")


def show(cluster: Cluster, results: dict[str, NodeResult]) -> None:
    """One screen for the whole cluster."""
    console = Console(highlight=False)
    with console.capture() as shown:
        console.print(screen(cluster, results, console.width))
    # rich fills lines up with blanks, which only a terminal has a use for.
    print("\n".join(line.rstrip() for line in shown.get().splitlines()))  # noqa: T201


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
    closed = [name for name, result in results.items() if maintenance(result)]
    told = (result for result in results.values() if not result.error)
    runs = (Text(words) for result in told for words in timers.words(cluster.app.name, result))
    below = [*_serving(cluster, results), *map(Text, _in_common(results)), *runs]
    if closed:
        words = f"visitors of {', '.join(closed)} get 503 and a page. Next: fab maintenance off"
        below.append(Text(words, "yellow"))
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


def _row(cluster: Cluster, name: str, result: NodeResult) -> list[Text]:
    """Name, state, and what ``COLUMNS`` says, unless the node did not answer.

    As ``Text``, and not as markup: what a host says is never read as such.
    """
    if result.error:
        return [Text(name), Text(result.error.what, "red")]
    state = result.state
    clock = Text("ok") if abs(lag(result)) <= CLOCK else Text(f"{lag(result):+.0f} s", "red")
    facts: list[str | Text] = [
        _release(state["links"][cluster.app.current]),
        _span(state["uptime"]),
        f"{state['load']:.1f}",
        f"{state['memory']} %",
        f"{state['disk']} %",
        _share(state["mounts"]),
        clock,
        _last_run(state["last_run"]),
    ]
    return [Text(name), _state(result), *(Text.assemble(fact) for fact in facts)]


def _narrow(row: list[Text]) -> list[RenderableType]:
    """A few short lines for a node, where a table has no room."""
    name, state, *rest = row
    name.stylize("bold")
    facts = [Text(f"{word} ").append_text(it) for word, it in zip(COLUMNS, rest, strict=False)]
    lines = [state, *facts[:1], Text(", ").join(facts[1:-1]), *facts[-1:]]
    inside = Text("\n").join(line for line in lines if line)
    return [name, Padding(inside, (0, 0, 0, 2))]


def _serving(cluster: Cluster, results: dict[str, NodeResult]) -> Iterator[Text]:
    """Which release each node has, a line for each that there is."""
    answered = {name: result for name, result in results.items() if not result.error}
    commits = _commits(results)
    nodes: dict[str, list[str]] = {}
    for name, result in answered.items():
        id = _release(result.state["links"][cluster.app.current])
        nodes.setdefault(id, []).append(name)
    for id, names in nodes.items():
        if id != "-":
            words = Release(id, commit=commits.get(id, "")).name
            yield Text(f"{words}: {', '.join(names) if len(nodes) > 1 else 'all'}")
    if len(nodes) > 1:
        words = "not all have the same release. Next: fab provision, which brings each to the one"
        yield Text(f"{words} that is written down", "red")


def _commits(results: dict[str, NodeResult]) -> dict[str, str]:
    """Of each release that the central node's record names; short, as people write it."""
    told = [result.facts.get("releases") for result in results.values()]
    served = (entry for each in told if each for entry in each["served"])
    return {entry["release"]: entry["commit"][:10] for entry in served}


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
    yield result.state["system"]
    versions = result.state["versions"]
    units = [e["id"].partition(":")[2] for e in result.resources if e["id"].startswith("service:")]
    for unit in units:
        name = next(
            (n for n in versions if n == unit.partition("@")[0] or n.startswith(f"{unit}-")), None
        )
        if name:
            yield f"{name} {_upstream(versions[name])}"
    for days in certificates(result).values():
        yield f"certificate ends in {days} days"
    yield from backups.words(result)
    if waits := result.state["reboot"]:
        yield f"a reboot is due, for {waits}"


def as_json(results: dict[str, NodeResult]) -> str:
    """The same for machines; times in seconds."""
    commits = _commits(results)
    return json.dumps(
        {
            name: {
                "error": result.error and str(result.error),
                "healthy": healthy(result),
                "wrong": [] if result.error else list(wrong(result)),
                "clock_lag": None if result.error else round(lag(result), 3),
                "maintenance": maintenance(result),
                "release": _current(result),
                "commit": commits.get(_current(result), ""),
                "facts": result.facts.get("state"),
                "resources": {event["id"]: event["status"] == "ok" for event in result.resources},
            }
            for name, result in results.items()
        }
    )


def _state(result: NodeResult) -> Text:
    out = [Text(words, "yellow")] if (words := drained(result)) else []
    if maintenance(result):
        out.append(Text("closed for maintenance", "yellow"))
    if trouble := list(wrong(result)):
        return Text("\n").join([*out, *(Text(words, "red") for words in trouble)])
    running = sum(not event["id"].startswith("package:") for event in result.resources)
    return Text("\n").join([*out, Text(f"{running} of {running} well", "green")])


def _share(mounts: dict[str, Any]) -> str:
    return ", ".join(f"{used} %" if isinstance(used, int) else "?" for used in mounts.values())


def _release(target: Any) -> str:
    return PurePosixPath(target).name if isinstance(target, str) else "-"


def _current(result: NodeResult) -> str:
    """The release that a node has; nothing, where it has none or did not say."""
    said = result.facts.get("releases")
    return said["current"] if said else ""


def _last_run(run: Run | None) -> str:
    if not run:
        return "never"
    result = "cut short"
    if counts := run.get("counts"):
        result = "failed" if counts["failed"] else f"{counts['changed'] or 'nothing'} changed"
    what = run.get("what", "?").partition(":")[0]
    when = run.get("when", "?")[:16].replace("T", " ")
    return f"{when} {run.get('who', '?')}: {what}, {result}"


def _upstream(version: str) -> str:
    """Without Debian's epoch and revision (deb-version(7))."""
    return version.partition(":")[2].rpartition("-")[0] or version.rpartition("-")[0] or version


def _span(seconds: int) -> str:
    if seconds < 3600:
        return f"{seconds // 60} min" if seconds >= 60 else f"{seconds} s"
    days, hours = seconds // 86400, seconds % 86400 // 3600
    return f"{days} d {hours} h" if days else f"{hours} h"
