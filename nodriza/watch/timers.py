"""What timers of the application do on a node: their last run, and the next one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nodriza.watch.backups import age

if TYPE_CHECKING:
    from nodriza.report.result import NodeResult


def wrong(result: NodeResult) -> Iterator[str]:
    """Each whose last run failed, until one does not."""
    for unit, timer in result.state.get("timers", {}).items():
        if timer["result"] not in ("", "success"):
            ago = age(result.received - timer["last"])
            yield (
                f"{unit} failed {ago} ago ({timer['result']}):"
                f" fab logs:{result.node} --unit {unit.removesuffix('.service')}"
            )


def words(app: str, result: NodeResult) -> Iterator[str]:
    """A line for each."""
    for unit, timer in result.state.get("timers", {}).items():
        name = unit.removesuffix(".service").removeprefix(f"{app}-process-")
        last = f"{span(result.received - timer['last'])} ago" if timer["last"] else "none"
        how = timer["result"] or ("at work" if timer["last"] else "not yet")
        due = f"next in {span(timer['next'] - result.received)}" if timer["next"] else "no next"
        yield f"{name} on {result.node}: last run {last}, {how}; {due}"


def span(seconds: float) -> str:
    """In one word; seconds where that matters."""
    return f"{max(0, round(seconds))} s" if seconds < 120 else age(seconds)
