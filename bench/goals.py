"""What the figures are meant to be, and whether they are."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Any

Goal = tuple[str, float, str, float]
"""What it is about, what it is, "at most" or "at least", what it is meant to be."""


def goals(result: dict[str, Any]) -> Iterator[Goal]:
    """Those that this result has figures for."""
    cells = {
        (cell["case"], cell["hosts"], cell["rtt"], cell["tool"]): cell for cell in result["cells"]
    }

    def ratio(hosts: int, one: str, other: str) -> float | None:
        found = [cells.get(("noop", hosts, 0, tool)) for tool in (one, other)]
        first, second = (median(cell["seconds"]) if cell else None for cell in found)
        return first / second if first and second else None

    for one, other, word, limit in (
        ("nodriza", "floor", "at most", 1.5),
        ("pyinfra", "nodriza", "at least", 7.0),
        ("ansible", "nodriza", "at least", 50.0),
    ):
        if (value := ratio(16, one, other)) is not None:
            yield f"16 hosts, nothing to do: {one} / {other}", value, word, limit
    yield from _far(cells)
    yield from _alone(result["controller"])
    if first := result.get("first"):
        value = median(first["provision"]) / median(first["apt"])
        yield "first provision / apt-get install on the slowest", value, "at most", 1.25


def _far(cells: dict[Any, dict[str, Any]]) -> Iterator[Goal]:
    ours, floor = (cells.get(("noop", 4, 50, tool)) for tool in ("nodriza", "floor"))
    if not ours or not floor:
        return
    more = (median(ours["seconds"]) - median(floor["seconds"])) / 0.050
    yield "4 hosts, 50 ms away: round trips more than the floor", more, "at most", 1.0
    wire = (median(ours["to_hosts"]) + median(ours["from_hosts"])) / 4 / 1000
    yield "kB on the wire for a host with nothing to do", wire, "at most", 20.0


def _alone(figures: dict[str, Any]) -> Iterator[Goal]:
    if ceiling := figures.get("ceiling"):
        value = ceiling["cpu_ms_a_host_without_key_exchange"]
        yield "ms of processor a host, without the key exchange", value, "at most", 25.0
    plan = {int(nodes): values for nodes, values in figures.get("plan", {}).items()}
    if 1000 in plan:
        yield "plan and render of 1000 nodes, s", plan[1000]["plan"], "at most", 2.0
        yield "its peak, MB", plan[1000]["peak"] / 1024, "at most", 100.0
    if 1000 in plan and 10_000 in plan:
        value = plan[10_000]["plan"] / plan[1000]["plan"]
        yield "ten times the nodes, times the time", value, "at most", 12.0


def judged(result: dict[str, Any]) -> list[str]:
    """A line for each goal."""
    lines = []
    for words, value, word, limit in goals(result):
        met = value <= limit if word == "at most" else value >= limit
        lines.append(f"{'ok ' if met else 'NOT'} {words}: {value:.2f} ({word} {limit:g})")
    return lines
