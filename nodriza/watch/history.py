"""What was done to the nodes, as they remember it themselves, and the way back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nodriza.errors import NodrizaError, TargetError
from nodriza.plan.plan import Plan
from nodriza.report.words import details, first_line, status
from nodriza.rollout.query import ask

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node
    from nodriza.report.result import NodeResult
    from nodriza.ssh.facts import Record


@dataclass
class Entry:
    """One run, over all the nodes that it changed."""

    id: str
    nodes: dict[str, Record] = field(default_factory=dict)

    @property
    def record(self) -> Record:
        """What is the same on all nodes: who, from, when, what, revision."""
        return next(iter(self.nodes.values()))

    @property
    def who(self) -> str:
        """ "ana@laptop"."""
        return f"{self.record.get('who', '?')}@{self.record.get('from', '?')}"


@dataclass
class History:
    """The runs, the newest first, and the nodes that did not answer."""

    entries: list[Entry]
    errors: dict[str, NodrizaError]

    def find(self, word: str) -> Entry:
        """The run whose id has ``word`` in it. Raises ``TargetError``."""
        found = [entry for entry in self.entries if word and word in entry.id]
        if len(found) == 1:
            return found[0]
        names = [entry.id for entry in found or self.entries][:5]
        unasked = [f"\n  {name}: {error.what}" for name, error in self.errors.items()]
        none = f'no run "{word}" here' + (" on the nodes that answer" if unasked else "")
        raise TargetError(
            f'{len(found)} runs have "{word}" in their id' if found else none + "".join(unasked),
            kept="nothing was changed",
            do=f"one of: {', '.join(names)}" if names else "fab history",
        )


def read(cluster: Cluster, nodes: Sequence[Node], *, sudo_password: str | None = None) -> History:
    """The history of some nodes, in one parallel pass."""
    plans = [Plan(node.name, ()) for node in nodes]
    results = ask(cluster, plans, {"history": None}, sudo_password=sudo_password)
    return together(results)


def together(results: dict[str, NodeResult]) -> History:
    """One entry a run, from what each node says."""
    entries: dict[str, Entry] = {}
    for node, result in results.items():
        for record in result.facts.get("history", ()):
            entries.setdefault(record["run"], Entry(record["run"])).nodes[node] = record
    errors = {node: result.error for node, result in results.items() if result.error}
    return History(sorted(entries.values(), key=lambda entry: entry.id, reverse=True), errors)


def outcome(record: Record) -> str:
    """What came of a run on one node: "3 changed, 1 failed"."""
    counts = record.get("counts")
    if counts is None:
        return "cut short"
    words = [f"{counts[key]} {key}" for key in ("changed", "failed") if counts[key]]
    return ", ".join(
        [*words, *(["stopped"] if counts["skipped"] and not counts["failed"] else [])]
    )


def table(history: History) -> Iterator[str]:
    """A line a run, for people."""
    rows = [("run", "when (UTC)", "who", "command", "git", "nodes")]
    for entry in history.entries:
        record = entry.record
        nodes = "; ".join(f"{node} {outcome(each)}" for node, each in entry.nodes.items())
        what, revision = record.get("what", "?"), record.get("revision") or "-"
        when = record.get("when", "?")[:16].replace("T", " ")
        rows.append((entry.id, when, entry.who, _short(what), revision, nodes))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False))
        yield "  ".join([*cells, row[5]])


def story(entry: Entry) -> Iterator[str]:
    """All of one run, for people."""
    record = entry.record
    revision = f", from git {record['revision']}" if record.get("revision") else ""
    yield f"{entry.id}: {record.get('what', '?')}"
    yield f"by {entry.who}, {record.get('when', '?')}{revision}"
    for node, each in entry.nodes.items():
        yield f"{node}: {outcome(each)}"
        for id, event in each.get("resources", {}).items():
            words = details(event) if event["status"] == "changed" else first_line(event)
            yield f"  {status(event):<7}  {id}" + (f" ({words})" if words else "")
        for kept in each["kept"]:
            before = "was not there" if kept["type"] == "nothing" else f"{kept['type']} kept"
            yield f"  before   {kept['path']}: {before}"


def _short(words: str) -> str:
    return words if len(words) <= 40 else words[:39] + "…"
