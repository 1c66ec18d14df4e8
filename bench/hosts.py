"""What is measured on real machines: nothing to do, one template changed, everything to do."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import cycle, takewhile

from bench import disks
from bench.cluster import FIRST, ROOT, VARIANTS, Bench, far, inside, say
from bench.given import give
from bench.tools import FLOOR, NODRIZA, TOOLS, Took, Tool

CASES = ("noop", "change", "cold")
ROUNDS = {"floor": 5, "nodriza": 5, "pyinfra": 3, "mitogen": 3, "ansible": 2}
"""Runs of each tool in a cell of the table, side by side with those of the others."""
ONCE = {"floor": 1.5, "nodriza": 2.0, "pyinfra": 6.0, "mitogen": 10.0, "ansible": 25.0}
MORE = {"floor": 0.05, "nodriza": 0.08, "pyinfra": 0.7, "mitogen": 1.2, "ansible": 5.0}
"""Seconds for a run on two processors, and for each host more: for the estimate only."""
COLD = 25.0
"""Seconds for a host's packages to be unpacked."""


@dataclass(frozen=True)
class Cell:
    """One kind of run on some hosts, ``rtt`` milliseconds away."""

    case: str
    hosts: int
    rtt: int
    names: tuple[str, ...] = tuple(ROUNDS)
    """Of the tools."""
    quick: bool = False
    """The peers only once."""

    def __str__(self) -> str:
        return f"{self.case}, {self.hosts} hosts, {self.rtt} ms"

    @property
    def seconds(self) -> float:
        """About how long all of its runs take."""
        return sum(self._rounds(tool) * self._once(tool) for tool in self.tools)

    @property
    def tools(self) -> Sequence[Tool]:
        """The floor only looks: it has a place where there is nothing to do."""
        chosen = [tool for tool in TOOLS if tool.name in self.names]
        return chosen if self.case == "noop" else [tool for tool in chosen if tool is not FLOOR]

    def _rounds(self, tool: Tool) -> int:
        once = self.case == "cold" or (self.quick and tool not in (FLOOR, NODRIZA))
        return 1 if once else ROUNDS[tool.name]

    def _once(self, tool: Tool) -> float:
        cold = (COLD * self.hosts + 5) if self.case == "cold" else 0
        return ONCE[tool.name] + self.hosts * MORE[tool.name] + self.rtt / 10 + cold

    def turns(self) -> Iterator[Tool]:
        """A B C A B C A B: the weather on the machine is the same for all."""
        for number in range(max(ROUNDS.values())):
            yield from (tool for tool in self.tools if number < self._rounds(tool))


@dataclass
class Figures:
    """All runs of one tool in one cell; seconds, KiB, bytes of all hosts together."""

    case: str
    hosts: int
    rtt: int
    tool: str
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak: list[int] = field(default_factory=list)
    to_hosts: list[int] = field(default_factory=list)
    from_hosts: list[int] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)
    load: list[float] = field(default_factory=list)
    """Of the machine, before each run: what else it did."""

    def add(self, took: Took, wire: dict[str, int]) -> None:
        """One more run."""
        self.seconds.append(round(took.seconds, 3))
        self.cpu.append(round(took.cpu, 3))
        self.peak.append(took.peak)
        self.load.append(took.load)
        for name, number in wire.items():
            getattr(self, name).append(number)

    def to_data(self) -> dict[str, object]:
        """JSON-ready; what was not measured is left out."""
        return {key: value for key, value in asdict(self).items() if value != []}


def run(
    bench: Bench, cell: Cell, over: Callable[[], bool], failed: Callable[[str], None]
) -> list[Figures]:
    """All runs of a cell, or as many as begin before it is ``over``.

    A run that failed, or did not do what it should, is told to ``failed`` and is no figure.
    """
    name = bench.inventory(cell.hosts, cell.rtt)
    give(bench, name)
    found = {t.name: Figures(cell.case, cell.hosts, cell.rtt, t.name) for t in cell.tools}
    variants = cycle(VARIANTS)
    variant = next(variants)
    bench.choose(variant)
    with wire(cell):
        NODRIZA.run(name, variant)  # whatever the cell before this one has left
    for tool in takewhile(lambda _: not over(), cell.turns()):
        if cell.case == "change":
            variant = next(variants)
        if cell.case == "cold":
            disks.reset(bench, (f"server-{number + 2}" for number in range(cell.hosts)))
        bench.choose(variant)
        try:
            with wire(cell) as went:
                took = tool.run(name, variant)
            _refuse_wrong(cell, tool, took, name, variant)
        except RuntimeError as error:
            failed(f"{cell}, {tool.name}: {error}")
            continue
        found[tool.name].add(took, went)
        say(f"  {cell}: {tool.name:8} {took.seconds:8.2f} s")
    return [figures for figures in found.values() if figures.seconds]


def _refuse_wrong(cell: Cell, tool: Tool, took: Took, name: str, variant: str) -> None:
    """A run that did less than it should have, or more, is no run."""
    changed = tool.changed(took.said)
    if (changed > 0) != (cell.case != "noop"):
        raise RuntimeError(f"{tool.name} made {changed} changes in {cell}\n{took.said[-3000:]}")
    if cell.case != "noop":
        with wire(cell):
            FLOOR.run(name, variant)  # fails where anything is not as planned


@contextmanager
def wire(cell: Cell) -> Iterator[dict[str, int]]:
    """The way to hosts that are far; filled at the end with what went over it."""
    went: dict[str, int] = {}
    if not cell.rtt:
        yield went
        return
    hosts = [f"198.18.87.{FIRST + number}" for number in range(cell.hosts)]
    ways = [f"{far(host)}:22={host}:22" for host in hosts]
    argv = [*inside(), sys.executable, "-m", "bench.proxy", "--rtt", str(cell.rtt), *ways]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield went
            process.send_signal(signal.SIGTERM)
            went.update(json.loads(process.communicate(timeout=30)[0]))
        finally:
            process.kill()
