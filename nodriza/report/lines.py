"""One line of the live view: how far a node is, and what it does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from rich.text import Text

from nodriza.report import words
from nodriza.report.result import NodeResult
from nodriza.ssh.events import Event

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_PHASES = {
    "connecting": "connecting",
    "connected": "sending the plan",
    "turn": "waits for its turn",
    "away": "out of rotation",
}


class Widths(NamedTuple):
    """Columns that are the same for all nodes."""

    name: int
    number: int


@dataclass(eq=False)
class Progress:
    """What the view knows about one node. Times are of one monotonic clock."""

    name: str
    total: int
    seen: int = 0
    changed: int = 0
    now: str = "waiting"
    check: bool = False
    began: float | None = None
    ended: float | None = None
    bad: bool = False

    def take(self, event: Event, clock: float) -> None:
        """Follow one event."""
        if self.began is None:
            self.began = clock
        if event["event"] == "start":
            self.total = event["resources"] or self.total
            self.check = event["check"]
            self.now = "looking"
        elif event["event"] == "doing":
            self.now = words.doing(event)
        elif event["event"] == "sending":
            self.now = words.sending(event)
        elif event["event"] == "resource":
            self.seen += 1
            self.changed += event["status"] == "changed"
            self.bad = self.bad or event["status"] == "failed"
            self.now = event["id"]
        else:
            self.now = _PHASES.get(event["event"], self.now)

    def end(self, outcome: str, result: NodeResult, clock: float) -> None:
        """No more events will come."""
        self.began = clock if self.began is None else self.began
        self.ended = clock
        self.now = outcome
        self.bad = result.bad
        self.changed = result.changed

    @property
    def dullness(self) -> int:
        """The least of it is shown first where there is little room."""
        if self.bad:
            return 0
        if self.ended is not None:
            return 3
        return 1 if self.began is not None else 2

    def elapsed(self, clock: float) -> float | None:
        """Seconds since the node's turn came."""
        if self.began is None:
            return None
        return (self.ended if self.ended is not None else clock) - self.began

    @staticmethod
    def widths(nodes: Iterable[Progress]) -> Widths:
        """Wide enough for every node, within reason."""
        many = list(nodes)
        name = max((len(node.name) for node in many), default=0)
        return Widths(min(name, 20), max((len(str(node.total)) for node in many), default=1))


def node_line(node: Progress, clock: float, width: int, widths: Widths) -> Text:
    """``⠙ server-2  ━━━━━━────  23/38  package:nginx-light   0:12``, cut to ``width``.

    Below 60 columns the bar goes, the rest stays.
    """
    bar = 20 if width >= 80 else 10 if width >= 60 else 0
    mark, style = _mark(node, clock)
    name = min(widths.name, max(8, width // 3))
    elapsed = node.elapsed(clock)
    clock_text = "" if elapsed is None else _clock(elapsed)
    count = f"{node.seen}/{node.total}" if node.began is not None else ""
    line = Text.assemble((f"{mark} ", style), (_cut(node.name, name), _name_style(node)), "  ")
    if bar:
        done = bar * node.seen // max(node.total, 1)
        line.append("━" * done, style=_name_style(node))
        line.append("─" * (bar - done) + "  ", style="dim")
    line.append(f"{count:>{2 * widths.number + 1}}  ")
    line.append(_cut(node.now, max(width - line.cell_len - 8, 0)), style=_now_style(node))
    line.append(f"{clock_text:>7}", style="dim")
    line.truncate(width)
    return line


def total_line(nodes: Iterable[Progress], hidden: int, seconds: float, width: int) -> Text:
    """``2/4 nodes, 5 changed, 0:12``."""
    many = list(nodes)
    over = sum(node.ended is not None for node in many)
    changed = sum(node.changed for node in many)
    failed = sum(node.bad for node in many)
    check = any(node.check for node in many)
    parts = [f"{over}/{len(many)} nodes"]
    parts += [f"{changed} would change" if check else f"{changed} changed"] if changed else []
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{hidden} not shown"] if hidden else []
    line = Text(f"  {', '.join(parts)}, {_clock(seconds)}", style="dim")
    line.truncate(width, overflow="ellipsis")
    return line


def _mark(node: Progress, clock: float) -> tuple[str, str]:
    if node.bad:
        return "✗", "bold red"
    if node.ended is not None:
        return ("~", "yellow") if node.changed else ("✓", "green")
    if node.began is None:
        return "·", "dim"
    return SPINNER[int(clock * 8) % len(SPINNER)], "cyan"


def _name_style(node: Progress) -> str:
    if node.bad:
        return "red"
    if node.changed:
        return "yellow"
    return "green" if node.ended is not None else "dim" if node.began is None else ""


def _now_style(node: Progress) -> str:
    return "red" if node.bad and node.ended is not None else "dim" if node.began is None else ""


def _clock(seconds: float) -> str:
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def _cut(text: str, width: int) -> str:
    cut = Text(text.replace("\n", " "))
    cut.truncate(width, overflow="ellipsis", pad=True)
    return cut.plain
