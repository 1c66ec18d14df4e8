"""What a run looks like: events and results come in, something to read goes out.

``live`` (rich, for a terminal), ``plain`` (lines, for logs and CI) and ``json`` (one
object a line, for machines) show the same events and end with the same recap. All are
called from one thread only.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Literal, Protocol, TextIO

from nodriza.report.clean import Output
from nodriza.report.jsonl import JsonReport
from nodriza.report.plain import PlainReport
from nodriza.report.result import NodeResult
from nodriza.ssh.events import Event

Kind = Literal["auto", "live", "plain", "json"]
AGAIN = "fab provision:{node}"

__all__ = ["Report", "make_report"]


class Report(Protocol):
    """What a rollout tells, in this order; ``finish`` always comes."""

    def start(self, nodes: list[tuple[str, int]]) -> None:
        """The nodes of the run, each with the number of its resources."""

    def event(self, node: str, event: Event) -> None:
        """Something happened on a node, or on the way to it."""

    def done(self, node: str, result: NodeResult) -> None:
        """A node is at its end; called once for each, with no events after it."""

    def finish(self, results: dict[str, NodeResult], seconds: float, check: bool) -> None:
        """The run is over: the recap."""


def make_report(
    kind: Kind = "auto",
    *,
    diff: bool = False,
    redact: Callable[[str], str] = str,
    stream: TextIO | None = None,
    again: str = AGAIN,
) -> Report:
    """A report of the kind; ``auto`` is live on a terminal, plain elsewhere and in CI.

    ``redact`` sees every text before it is shown. ``again`` is the command that repeats
    the run for one ``{node}``. A reader that goes away ends the output, not the run.
    """
    out = Output(stream or sys.stdout, redact)
    if kind == "json":
        return JsonReport(out, again=again)
    if kind == "live" or (kind == "auto" and _watched(out.stream)):
        # Half of a quick command's time would go into importing rich for plain output.
        from nodriza.report.live import LiveReport  # noqa: PLC0415

        return LiveReport(out, diff=diff, again=again)
    return PlainReport(out, diff=diff, again=again)


def _watched(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"
