"""A change that is the same on many nodes is shown once, with all of their names."""

from __future__ import annotations

import io
from typing import Any

import pytest

from nodriza.report import make_report
from nodriza.report.diffs import Diffs
from nodriza.report.result import NodeResult


def told(diffs: Diffs) -> list[str]:
    return [head for head, _ in diffs.told()]


def test_equal_diffs__are_one_with_every_node_s_name() -> None:
    diffs = Diffs()
    diffs.order = ["server-2", "server-3", "server-4"]
    diffs.add("server-4", "file:/etc/b", "-x\n+y")
    diffs.add("server-4", "file:/etc/a", "-x\n+y")
    diffs.add("server-2", "file:/etc/a", "-x\n+y")
    diffs.add("server-3", "file:/etc/a", "-x\n+z")
    diffs.add("server-5", "file:/etc/c", "")
    assert told(diffs) == [
        "server-2, server-4: file:/etc/a",
        "server-3: file:/etc/a",
        "server-4: file:/etc/b",
    ]


def test_very_many_nodes__are_a_number() -> None:
    diffs = Diffs()
    diffs.order = [f"server-{number}" for number in range(2, 1002)]
    for number in range(2, 1002):
        diffs.add(f"server-{number}", "file:/etc/a", "+y")
    (head,) = told(diffs)
    assert head.endswith("server-7 and 994 more: file:/etc/a")


@pytest.mark.parametrize("kind", ["plain", "live"])
def test_report__has_each_change_once(kind: Any) -> None:
    stream = io.StringIO()
    report = make_report(kind, diff=True, stream=stream)
    nodes = ["server-2", "server-3", "server-4"]
    report.start([(node, 1) for node in nodes])
    event: Any = {"event": "resource", "status": "changed", "gap": {}, "words": "", "seconds": 0.0}
    for node in nodes:
        report.event(node, {**event, "id": "file:/etc/a", "diff": "-ttl 1\n+ttl 2"})
        report.done(node, NodeResult(node, changed=1))
    report.finish({node: NodeResult(node, changed=1) for node in nodes}, 1.0, False)
    text = stream.getvalue()
    assert text.count("+ttl 2") == 1
    assert "server-2, server-3, server-4: file:/etc/a" in text
    assert text.index("+ttl 2") < text.index("changed on 3 nodes")
