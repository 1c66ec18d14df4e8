"""Figures as a table for a terminal, a table for the documentation, and a chart.

``python -m bench.report RESULT.json`` writes the last two into docs/.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "performance.rst"
CHART = DOCS / "performance.svg"
BEGIN, END = ".. begin of the figures", ".. end of the figures"
PEERS = ("ansible-core", "mitogen", "pyinfra")
WORDS = {
    "noop": "nothing to do",
    "change": "one template changed on every host",
    "cold": "everything to do, packages downloaded",
}
Row = list[str]


def cells(result: dict[str, Any]) -> Iterator[tuple[str, dict[str, dict[str, Any]]]]:
    """Each cell's title and its figures by tool."""

    def cell(figures: dict[str, Any]) -> tuple[str, int, int]:
        return figures["case"], figures["hosts"], figures["rtt"]

    for (case, hosts, rtt), many in groupby(result["cells"], key=cell):
        far = f", {rtt} ms away" if rtt else ""
        plural = "s" if hosts > 1 else ""
        yield f"{hosts} host{plural}{far}: {WORDS[case]}", {each["tool"]: each for each in many}


def rows(tools: dict[str, dict[str, Any]]) -> Iterator[Row]:
    """A line for each tool: seconds, and how many times this project's and the floor's."""
    ours = median(tools["nodriza"]["seconds"]) if "nodriza" in tools else None
    floor = median(tools["floor"]["seconds"]) if "floor" in tools else None
    for name, figures in tools.items():
        seconds, middle = figures["seconds"], median(figures["seconds"])
        wire = ""
        if "to_hosts" in figures:
            total = median(figures["to_hosts"]) + median(figures["from_hosts"])
            wire = f"{total / figures['hosts'] / 1000:.1f}"
        yield [
            name,
            f"{middle:.2f}",
            f"{min(seconds):.2f} – {max(seconds):.2f}",
            str(len(seconds)),
            f"{middle / ours:.2f}" if ours else "",
            f"{middle / floor:.2f}" if floor else "",
            f"{median(figures['cpu']):.2f}",
            wire,
        ]


HEAD = ["", "seconds", "min – max", "runs", "× nodriza", "× floor", "CPU s", "kB a host"]


def table(result: dict[str, Any]) -> str:
    """Everything, for a terminal."""
    lines: list[str] = []
    for title, tools in cells(result):
        found = [HEAD, *rows(tools)]
        widths = [max(len(row[column]) for row in found) for column in range(len(HEAD))]
        lines += ["", title]
        lines += ["  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in found]
    for title, figures in (*result["controller"].items(), ("first", result.get("first"))):
        if figures:
            lines += ["", f"{title}: {json.dumps(figures)}"]
    return "\n".join(lines)


def page(result: dict[str, Any]) -> str:
    """The same in reStructuredText."""
    lines: list[str] = []
    for title, tools in cells(result):
        lines += _rst(title, HEAD, list(rows(tools)))
    if plan := result["controller"].get("plan"):
        head = ["nodes", "fab plan, s", "peak, MB", "of it: import", "load", "plan + render"]
        lines += _rst(
            "Planning, no host in reach", head, [_plan_row(*each) for each in plan.items()]
        )
    if runs := result["controller"].get("list"):
        middle = median(run["seconds"] for run in runs)
        lines += [f"``fab --list``: {middle:.2f} s.", ""]
    if ceiling := result["controller"].get("ceiling"):
        lines += [
            f"A thousand hosts whose answers are recorded: {ceiling['hosts_a_second']:.0f} hosts"
            f" a second; {ceiling['cpu_ms_a_host']:.1f} ms of the controller's processor a host,"
            f" {ceiling['cpu_ms_a_host_without_key_exchange']:.1f} ms without the key exchange.",
            "",
        ]
    if first := result.get("first"):
        middle = {key: median(values) for key, values in first.items()}
        lines += [
            f"A first provision of three bare machines: {middle['provision']:.1f} s; ``apt-get"
            " install`` of the same packages on all three at once, until the slowest is done:"
            f" {middle['apt']:.1f} s; on the slowest alone: {middle['apt_alone']:.1f} s.",
            "",
        ]
    return "\n".join([*_machine(result), *lines])


def _machine(result: dict[str, Any]) -> list[str]:
    machine = result["machine"]
    return [
        f"{result['when'][:10]}, {machine['processors']} processors ({machine['cpu']}),"
        f" {machine['memory_gib']:.0f} GiB, Linux {machine['kernel']},"
        f" Python {machine['python']}, load before the first run {machine['load']};"
        f" {', '.join(result['peers']).replace('==', ' ')}. The hosts share the processors"
        " with the controller.",
        "",
    ]


def _plan_row(nodes: str, figures: dict[str, Any]) -> Row:
    parts = [f"{figures[name]:.2f}" for name in ("import", "load", "plan")]
    return [nodes, f"{median(figures['seconds']):.2f}", f"{figures['peak'] / 1024:.0f}", *parts]


def _rst(title: str, head: Row, body: Sequence[Row]) -> list[str]:
    lines = [f".. list-table:: {title}", "   :header-rows: 1", ""]
    for row in (head, *body):
        lines += [f"   * - {row[0]}", *(f"     - {cell}".rstrip() for cell in row[1:])]
    return [*lines, ""]


# The chart: bars on a logarithmic scale, a group for each cell

STYLE = """
    text  { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif;
            font-size: 13px; fill: #24303d }
    .card { fill: #fcfbf8; stroke: #d9d5cb }
    .head { font-weight: 600; font-size: 15px }
    .grid { stroke: #d9d5cb } .soft { fill: #68737f; font-size: 12px }
    .bar  { fill: #8d99a6 } .nodriza { fill: #b4652a } .floor { fill: #cdc7ba }
    @media (prefers-color-scheme: dark) {
      text { fill: #e4e0d6 } .card { fill: #1d2329; stroke: #3a434d } .grid { stroke: #3a434d }
      .soft { fill: #9aa5b0 } .nodriza { fill: #d98a4a } .floor { fill: #565f69 }
    }"""
WIDTH, LEFT, RIGHT, BAR, GAP = 760, 110, 90, 18, 34


def chart(result: dict[str, Any]) -> str:
    """An SVG of the medians where there is nothing to do; the longest bar is the slowest."""
    shown = [(title, tools) for title, tools in cells(result) if title.endswith(WORDS["noop"])]
    every = [median(t["seconds"]) for _, tools in shown for t in tools.values()]
    low, high = math.log10(min(every) / 2), math.log10(max(every))

    def x(seconds: float) -> float:
        return LEFT + (math.log10(seconds) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    marks, y = [], 30
    for title, tools in shown:
        marks.append(f'<text class="head" x="20" y="{y}">{title}</text>')
        y += 12
        for name, figures in tools.items():
            end = median(figures["seconds"])
            kind = name if name in ("nodriza", "floor") else "bar"
            middle = y + BAR - 5
            marks += [
                f'<text x="{LEFT - 8}" y="{middle}" text-anchor="end">{name}</text>',
                f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{x(end) - LEFT:.1f}"'
                f' height="{BAR - 4}" rx="2"/>',
                f'<text x="{x(end) + 6:.1f}" y="{middle}">{end:.2f} s</text>',
            ]
            y += BAR
        y += GAP
    decades = range(math.ceil(low), math.floor(high) + 1)
    grid = [
        f'<line class="grid" x1="{x(10**d):.1f}" x2="{x(10**d):.1f}" y1="40" y2="{y - GAP}"/>'
        f'<text class="soft" x="{x(10**d):.1f}" y="{y - GAP + 16}" text-anchor="middle">'
        f"{10.0**d:g} s</text>"
        for d in decades
    ]
    grid.append(f'<text class="soft" x="20" y="{y - GAP + 16}">logarithmic</text>')
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" role="img"'
            ' aria-labelledby="title">',
            '  <title id="title">Seconds for a run with nothing to do; logarithmic</title>',
            f"  <style>{STYLE}\n  </style>",
            f'  <rect class="card" x="1" y="1" width="{WIDTH - 2}" height="{y - 2}" rx="8"/>',
            *(f"  {mark}" for mark in (*grid, *marks)),
            "</svg>\n",
        ]
    )


def write(result: dict[str, Any]) -> None:
    """The chart, and the page's part between its two marks."""
    CHART.write_text(chart(result))
    before, rest = PAGE.read_text().split(f"{BEGIN}\n")
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{page(result)}\n{END}{after}")


if __name__ == "__main__":
    write(json.loads(Path(sys.argv[1]).read_text()))
