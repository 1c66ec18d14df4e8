"""The end of every run: the table, what was slow, what failed and what to type next.

Lines of (style, text) pieces; the styles are rich's names, plain output ignores them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nodriza.errors import NodrizaError
from nodriza.foreign import MARK
from nodriza.report.result import NodeResult
from nodriza.report.words import duration
from nodriza.ssh.events import Resource
from nodriza.wording import count

StyledLine = list[tuple[str, str]]
Restored = dict[tuple[str, str], list[str]]
"""(node, unit) → the files that were put back there."""

SLOWEST = 5
QUICK = 0.1  # seconds; what took less is not worth a line
_STYLES = {"changed": "yellow", "failed": "bold red", "skipped": "dim"}


def slowest(results: dict[str, NodeResult]) -> list[dict[str, Any]]:
    """The resources that took longest: node, id, seconds, and how many ``more``.

    Packages that were installed in one go are one entry, under the name of the first.
    """
    found: list[dict[str, Any]] = []
    for node, result in results.items():
        last: dict[str, Any] = {}
        for event in result.resources:
            seconds = event["seconds"]
            if last and _together(event["id"], seconds, last):
                last["more"] += 1
                continue
            last = {"node": node, "id": event["id"], "seconds": round(seconds, 3), "more": 0}
            found.append(last)
    worth = [entry for entry in found if entry["seconds"] >= QUICK]
    return sorted(worth, key=lambda entry: -entry["seconds"])[:SLOWEST]


def _together(name: str, seconds: float, last: dict[str, Any]) -> bool:
    packages = name.startswith("package:") and last["id"].startswith("package:")
    return packages and seconds >= QUICK and abs(seconds - last["seconds"]) < QUICK


def failures(
    results: dict[str, NodeResult], restored: Restored, again: str
) -> list[dict[str, str]]:
    """Everything that went wrong, with what was kept safe and what to type next.

    Resources of a node that failed with the same words failed together, and are one entry.
    """
    found = []
    for node, result in results.items():
        by_words: dict[str, list[Resource]] = {}
        for event in result.resources:
            if event["status"] == "failed":
                by_words.setdefault(event["words"], []).append(event)
        for words, (first, *others) in by_words.items():
            found.append(
                {
                    "node": node,
                    "id": first["id"] + (f" and {len(others)} more" if others else ""),
                    "origin": first.get("origin", ""),
                    "words": words or "no reason was given",
                    "kept": _kept(node, first, result, restored),
                    "next": f"{again.format(node=node)}, once the cause is mended",
                }
            )
        if result.error is not None:
            found.append(_error(node, result.error))
    return found


def _error(node: str, error: NodrizaError) -> dict[str, str]:
    return {
        "node": node,
        "id": "",
        "origin": error.where if error.where != node else "",
        "words": error.what,
        "kept": error.kept,
        "next": error.do,
    }


def _kept(node: str, event: Resource, result: NodeResult, restored: Restored) -> str:
    unit = event["id"].partition(":")[2]
    paths = restored.get((node, unit))
    kept = [f"{', '.join(paths)} as before this run"] if paths else []
    if result.skipped:
        kept.append(f"{count(result.skipped, 'resource')} after it not touched")
    return "; ".join(kept)


def recap(
    results: dict[str, NodeResult],
    seconds: float,
    *,
    check: bool,
    restored: Restored,
    again: str,
    width: int,
) -> Iterator[StyledLine]:
    """All of it, for a page of ``width`` columns."""
    yield []
    yield from _table(results, check, width)
    slow = slowest(results)
    if slow:
        yield []
        yield [("bold", "slowest")]
        for entry in slow:
            more = f" and {entry['more']} more" if entry["more"] else ""
            time = f"{duration(entry['seconds']):>8}"
            yield [("", f"  {time}  {entry['node']}  "), ("dim", f"{entry['id']}{more}")]
    for failure in failures(results, restored, again):
        yield []
        yield from _failure(failure)
    yield []
    yield _verdict(results, seconds, check)


def _failure(failure: dict[str, str]) -> Iterator[StyledLine]:
    subject = "  ".join(part for part in (failure["node"], failure["id"]) if part)
    yield [("bold red", "FAILED  "), ("bold", subject)]
    if failure["origin"]:
        yield [("dim", f"  at    {failure['origin']}")]
    # An error is worded by us; what is said of a resource is the host's own.
    mark = MARK if failure["id"] else "    "
    for line in failure["words"].splitlines():
        yield [("dim", mark), ("", line)]
    for label in ("kept", "next"):
        for number, line in enumerate(failure[label].splitlines()):
            head = f"  {label}  " if number == 0 else " " * 8
            yield [("dim", head), ("", line.strip())]


def _table(results: dict[str, NodeResult], check: bool, width: int) -> Iterator[StyledLine]:
    heads, gap = ["ok", "would change" if check else "changed", "failed", "skipped", "time"], "  "
    name = max([len(node) for node in results] + [4])
    if name + sum(max(len(head), 4) + 2 for head in heads) + 4 > width:
        heads, gap = ["ok", "chg", "fail", "skip", "time"], " "
    widths = [max(len(head), 4) for head in heads[:-1]] + [7]
    name = min(name, max(8, width - sum(widths) - len(gap) * len(widths)))
    cells = "".join(f"{gap}{head:>{wide}}" for head, wide in zip(heads, widths, strict=True))
    yield [("bold", f"{'node':<{name}}{cells}")]
    for node, result in results.items():
        yield _row(node, result, name, widths, gap)


def _row(node: str, result: NodeResult, name: int, widths: list[int], gap: str) -> StyledLine:
    style = "red" if result.bad else "yellow" if result.changed else "green"
    shown = node if len(node) <= name else node[: name - 1] + "…"
    line: StyledLine = [(style, f"{shown:<{name}}")]
    for field, wide in zip(("ok", "changed", "failed", "skipped"), widths, strict=False):
        number = getattr(result, field)
        line.append((_STYLES.get(field, "") if number else "dim", f"{gap}{number:>{wide}}"))
    line.append(("", f"{gap}{duration(result.seconds):>{widths[-1]}}"))
    return line


def _verdict(results: dict[str, NodeResult], seconds: float, check: bool) -> StyledLine:
    bad = [node for node, result in results.items() if result.bad]
    changes = sum(result.changed for result in results.values())
    nodes = count(len(results), "node")
    took = f"({duration(seconds)})"
    if bad:
        return [("bold red", f"{len(bad)} of {nodes} failed: {', '.join(bad)} {took}")]
    if not changes:
        return [("bold green", f"nothing to change on {nodes} {took}")]
    words = f"{count(changes, 'resource')} {'would change' if check else 'changed'} on {nodes}"
    return [("bold yellow" if check else "bold green", f"{words} {took}")]
