"""Odd lines, of logs and of shell commands: shown as letters, each as its own node's."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodriza.inventory import Cluster
from nodriza.plan.plan import Plan
from nodriza.ssh.commands import Everywhere
from nodriza.watch import logs
from nodriza.watch.log_entries import Reader
from tests.unit.hostile.conftest import HONEST, LIAR, shown
from tests.unit.hostile.liar import (
    Connection,
)
from tests.unit.hostile.odd import FEW, TEXTS, VALUES


def test_message_of_several_lines__is_one_entry_whose_further_lines_are_marked() -> None:
    line = {
        "__REALTIME_TIMESTAMP": "1795262400000000",
        "MESSAGE": "a\n2026-11-21 server-1 nginx: b",
    }
    entry = str(Reader(LIAR).read(json.dumps(line)))
    assert entry.splitlines()[1] == "    | 2026-11-21 server-1 nginx: b"


LINES = st.lists(
    st.one_of(
        st.text(max_size=40),
        TEXTS,
        st.builds("zone:{}".format, st.sampled_from(["+9999", "-0000", "+01", "", "+0130", "x"])),
        st.builds(
            "file:{}:{}".format,
            TEXTS,
            st.sampled_from(
                [
                    "2026-11-21T12:00:00+99:99 x",
                    "0001-01-01 00:00:00 +1400 x",
                    "9999-12-31 23:59:59.999 -1400 x",
                    "2026-13-41 25:61:61 x",
                    "٢٠٢٦-11-21 12:00:00",
                ]
            ),
        ),
        st.builds(
            lambda time_, **rest: json.dumps({"__REALTIME_TIMESTAMP": time_, **rest}),
            VALUES | st.sampled_from(["1795262400000000", "9" * 30, "-1"]),
            MESSAGE=VALUES | st.lists(st.integers(-1, 300), max_size=4),
            UNIT=VALUES,
            _SYSTEMD_UNIT=VALUES,
        ),
    ),
    max_size=6,
)


@given(LINES, st.booleans())
@settings(FEW, max_examples=100)
def test_odd_lines__are_shown_as_lines_of_their_node_and_hide_no_other(
    cluster: Cluster, lying: Callable[..., None], lines: list[str], follow: bool
) -> None:
    said = "\n".join(lines).encode("utf-8", "surrogatepass")

    def speech(_: Any) -> list[bytes]:
        return [said[:7], said[7:]]

    def log(_: Any) -> list[bytes]:
        line = {"__REALTIME_TIMESTAMP": "1795262400000000", "MESSAGE": "well", "UNIT": "nginx"}
        return [b"zone:+0000\n", json.dumps(line).encode() + b"\n"]

    ways = SimpleNamespace(take=lambda n: Connection(speech if n.name == LIAR else log))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nodriza.ssh.commands.connect", lambda node, _: ways.take(node))
        plans = [Plan(node.name, ()) for node in cluster.nodes]
        entries = list(logs.merged(cluster, plans, logs.Wish(lines=500, follow=follow)))
        lines_ = [line for entry in entries for line in shown(str(entry)).splitlines()]
        for node in HONEST:
            assert f"2026-11-21 12:00:00.000 {node} nginx: well" in lines_
        dated = [entry for entry in entries if not isinstance(entry, str)]
        assert all(entry.as_json() for entry in dated)
        for entry in dated:
            first, *more = str(entry).splitlines()
            assert f" {entry.node} " in first
            assert all(line.startswith("    | ") for line in more)

        run = Everywhere(cluster, dict.fromkeys((node.name for node in cluster.nodes), "true"))
        heard = [each for each in run.lines() if each]
        assert all(len(shown(line).splitlines()) <= 1 for _, line in heard)
        assert set(run.ended) == {node.name for node in cluster.nodes}


def test_command__that_breaks_our_side_of_one_node_ends_and_hides_no_other(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(node: Any, _: Any) -> Connection:
        if node.name == LIAR:
            raise AssertionError("as paramiko has some")
        return Connection(lambda _: [b"fine\n"])

    monkeypatch.setattr("nodriza.ssh.commands.connect", connect)
    run = Everywhere(cluster, dict.fromkeys((node.name for node in cluster.nodes), "true"))
    assert sorted(each for each in run.lines() if each) == [(node, "fine") for node in HONEST]
    assert "as paramiko has some" in str(run.ended[LIAR].error)


def test_host__that_does_not_end_a_command_when_it_is_told_is_left(
    cluster: Cluster, lying: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def drip(_: Any) -> Iterator[bytes]:
        while True:
            time.sleep(0.02)
            yield b".\n"

    monkeypatch.setattr("nodriza.ssh.commands.KIND", 0.2)
    lying(drip)
    run = Everywhere(cluster, {LIAR: "true"})
    lines, began = run.lines(), time.monotonic()
    assert next(lines) == (LIAR, ".")
    run.stopped.set()
    assert all(line == (LIAR, ".") for line in lines)
    assert time.monotonic() - began < 10
    assert LIAR in run.ended
