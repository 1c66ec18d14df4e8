"""Lines without colour or time, for logs: the same run writes the same lines."""

from __future__ import annotations

from nodriza.report import words
from nodriza.report.clean import Output
from nodriza.report.diffs import Diffs
from nodriza.report.recap import Restored, recap
from nodriza.report.result import NodeResult
from nodriza.ssh.events import Event, Resource

WIDTH = 100


class PlainReport:
    """One line for whatever changed, failed or was skipped; what was right is only counted."""

    def __init__(self, out: Output, *, diff: bool, again: str) -> None:
        self.out = out
        self.diff = diff
        self.again = again
        self._check: dict[str, bool] = {}
        self._restored: Restored = {}
        self._skipped: set[str] = set()
        self._width = 0
        self._diffs = Diffs()

    def start(self, nodes: list[tuple[str, int]]) -> None:
        """The column's width, and the order of the nodes."""
        self._diffs.order = [name for name, _ in nodes]
        self._width = max((len(name) for name, _ in nodes), default=0)

    def event(self, node: str, event: Event) -> None:
        """At most one line."""
        event = self.out.redacted(event)
        if event["event"] == "start":
            self._check[node] = event["check"]
        elif event["event"] == "owed":
            self._say(node, "owed", words.owed(event))
        elif event["event"] in ("warning", "note"):
            self._say(node, event["event"], event["words"])
        elif event["event"] == "kept":
            for id, why in event["things"].items():
                self._say(node, "kept", f"{id} ({words.kept(why)})")
        elif event["event"] == "stopping":
            self._say(node, "stopping", words.STOPPING)
        elif event["event"] == "restored":
            self._restored[node, event["unit"]] = event["paths"]
            self._say(node, "restored", ", ".join(event["paths"]))
        elif event["event"] == "resource" and event["status"] != "ok":
            self._resource(node, event)

    def done(self, node: str, result: NodeResult) -> None:
        """What came of the node, in a line."""
        status = "failed" if result.bad else "done"
        counts = f"{words.outcome(result, self._check.get(node, False))}"
        self._say(node, status, f"{counts} ({words.duration(result.seconds)})")

    def finish(self, results: dict[str, NodeResult], seconds: float, check: bool) -> None:
        """How files change, and the recap."""
        for head, lines in self._diffs.told():
            self.out.line()
            self.out.line(head)
            for line in lines:
                self.out.line(f"    {line}".rstrip())
        for pieces in recap(
            results,
            seconds,
            check=check,
            restored=self._restored,
            again=self.again,
            width=WIDTH,
        ):
            self.out.line("".join(text for _, text in pieces).rstrip())

    def _resource(self, node: str, event: Resource) -> None:
        status = words.status(event, check=self._check.get(node, False))
        changed = event["status"] == "changed"
        note = words.details(event) if changed else words.first_line(event)
        name = event["id"]
        if event["status"] == "skipped":  # one line for all: the reason is the same
            if node in self._skipped:
                return
            self._skipped.add(node)
            name += " and all after it"
        self._say(node, status, f"{name} ({note})" if note else name)
        if self.diff:
            self._diffs.add(node, event["id"], event["diff"])

    def _say(self, node: str, status: str, text: str) -> None:
        self.out.line(f"{node:<{self._width}}  {status:<7}  {text}")
