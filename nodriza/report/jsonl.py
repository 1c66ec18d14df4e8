"""One JSON object a line, for machines.

Every line has ``event`` and, except for the recap at the end, ``node``. The events are
the agent's own, ``planned`` (how many resources), ``connecting``, ``connected`` and
``done`` (the node's result).
"""

from __future__ import annotations

import json
from typing import Any

from nodriza.report.clean import Output
from nodriza.report.recap import failures, slowest
from nodriza.report.result import NodeResult
from nodriza.ssh.events import Event


class JsonReport:
    """Nothing is left out, nothing is worded."""

    def __init__(self, out: Output, *, again: str) -> None:
        self.out = out
        self.again = again
        self._restored: dict[tuple[str, str], list[str]] = {}

    def start(self, nodes: list[tuple[str, int]]) -> None:
        """A line for every node of the run."""
        for node, resources in nodes:
            self._emit({"event": "planned", "node": node, "resources": resources})

    def event(self, node: str, event: Event) -> None:
        """The event with its node."""
        if event["event"] == "restored":
            self._restored[node, event["unit"]] = event["paths"]
        self._emit({"event": event["event"], "node": node, **event})

    def done(self, node: str, result: NodeResult) -> None:
        """The node's result; its resources were told before."""
        self._emit({"event": "done", "node": node, **_summary(result)})

    def finish(self, results: dict[str, NodeResult], seconds: float, check: bool) -> None:
        """The last line."""
        self._emit(
            {
                "event": "recap",
                "success": not any(result.bad for result in results.values()),
                "check": check,
                "seconds": round(seconds, 3),
                "nodes": {node: _summary(result) for node, result in results.items()},
                "slowest": slowest(results),
                "failures": failures(results, self._restored, self.again),
            }
        )

    def _emit(self, data: dict[str, Any]) -> None:
        # ASCII: no control character and no encoding can do harm, and nothing is lost.
        self.out.write(json.dumps(self.out.redacted(data)) + "\n")
        self.out.flush()


def _summary(result: NodeResult) -> dict[str, Any]:
    error = result.error
    return {
        "ok": result.ok,
        "changed": result.changed,
        "failed": result.failed,
        "skipped": result.skipped,
        "seconds": round(result.seconds, 3),
        "owed": result.owed,
        "error": error
        and {
            "kind": type(error).__name__,
            "what": error.what,
            "where": error.where,
            "kept": error.kept,
            "next": error.do,
        },
    }
