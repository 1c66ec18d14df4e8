"""The view on a terminal: a line for each node that moves, and above it what changed."""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from nodriza.report import words
from nodriza.report.clean import Output
from nodriza.report.diffs import Diffs
from nodriza.report.lines import Progress, node_line, total_line
from nodriza.report.recap import Restored, recap
from nodriza.report.result import NodeResult
from nodriza.ssh.events import Event, Resource

REFRESH = 8  # times a second
_MARKS = {"changed": ("~", "yellow"), "failed": ("✗", "bold red")}
_DIFF = {"+": "green", "-": "red", "@": "cyan"}


class LiveReport:
    """A line a node; changed and failed resources stay on the screen above."""

    def __init__(
        self,
        out: Output,
        *,
        diff: bool,
        again: str,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.out = out
        self.diff = diff
        self.again = again
        self.clock = clock
        self.console = console or Console(file=out, highlight=False)  # type: ignore[arg-type]
        self.nodes: dict[str, Progress] = {}
        self.began = clock()
        self._restored: Restored = {}
        self._diffs = Diffs()
        self._live = Live(self, console=self.console, refresh_per_second=REFRESH, transient=True)

    def start(self, nodes: list[tuple[str, int]]) -> None:
        """Show all nodes, waiting."""
        self._diffs.order = [name for name, _ in nodes]
        self.began = self.clock()
        self.nodes = {name: Progress(name, total) for name, total in nodes}
        self._live.start()
        atexit.register(self._live.stop)  # whatever ends us, the cursor comes back

    def event(self, node: str, event: Event) -> None:
        """Move the node's line; show what changed."""
        event = self.out.redacted(event)
        progress = self.nodes.setdefault(node, Progress(node, 0))
        progress.take(event, self.clock())
        if event["event"] == "owed":
            self._above(node, "~", "yellow", words.owed(event))
        elif event["event"] == "warning":
            self._above(node, "!", "yellow", event["words"])
        elif event["event"] == "note":
            self._above(node, "·", "cyan", event["words"])
        elif event["event"] == "kept":
            for id, why in event["things"].items():
                self._above(node, "·", "cyan", f"kept {id} ({words.kept(why)})")
        elif event["event"] == "stopping":
            self._above(node, "!", "yellow", words.STOPPING)
        elif event["event"] == "restored":
            self._restored[node, event["unit"]] = event["paths"]
        elif event["event"] == "resource" and event["status"] in _MARKS:
            self._resource(node, event, progress.check)

    def done(self, node: str, result: NodeResult) -> None:
        """The node's line now says what came of it."""
        progress = self.nodes.setdefault(node, Progress(node, 0))
        outcome = self.out.redacted(words.outcome(result, progress.check))
        progress.end(outcome, result, self.clock())

    def finish(self, results: dict[str, NodeResult], seconds: float, check: bool) -> None:
        """The moving lines make room for the recap."""
        self._live.stop()
        atexit.unregister(self._live.stop)
        for head, lines in self._diffs.told():
            self._print(Text(f"\n{head}", style="bold"))
            for each in lines:
                self._print(Text(f"    {each}", style=_DIFF.get(each[:1], "dim")))
        for line in recap(
            results,
            seconds,
            check=check,
            restored=self._restored,
            again=self.again,
            width=self.console.width,
        ):
            self._print(Text.assemble(*((self.out.redacted(text), style) for style, text in line)))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Called by rich, from its own thread as well."""
        now = self.clock()
        room = (options.height or console.height) - 3
        shown = self._worth_showing(room)
        widths = Progress.widths(self.nodes.values())
        for progress in shown:
            yield node_line(progress, now, options.max_width, widths)
        if len(self.nodes) > 1:
            hidden = len(self.nodes) - len(shown)
            yield total_line(self.nodes.values(), hidden, now - self.began, options.max_width)

    def _worth_showing(self, room: int) -> list[Progress]:
        """All nodes; on a small screen first those at work and those that failed."""
        nodes = list(self.nodes.values())
        if len(nodes) <= room:
            return nodes
        chosen = sorted(nodes, key=lambda progress: progress.dullness)[: max(room, 1)]
        return [progress for progress in nodes if progress in chosen]

    def _resource(self, node: str, event: Resource, check: bool) -> None:
        mark, style = _MARKS[event["status"]]
        note = words.details(event) if event["status"] == "changed" else words.first_line(event)
        text = event["id"] + (f" ({note})" if note else "")
        said = words.status(event, check=check)
        if said not in ("changed", "failed"):
            text = f"{said} {text}"
        self._above(node, mark, style, text)
        if self.diff:
            self._diffs.add(node, event["id"], event["diff"])

    def _above(self, node: str, mark: str, style: str, text: str) -> None:
        width = max(len(name) for name in self.nodes)
        self._print(Text.assemble((f"{mark} ", style), (f"{node:<{width}}  ", "bold"), text))

    def _print(self, text: Text) -> None:
        # The terminal wraps, so that a command can be copied whole.
        self.console.print(text, soft_wrap=True)
