"""Ratios come from medians, and the chart is one that a browser takes."""

from typing import Any
from xml.etree import ElementTree

import docutils.core
import pytest

from bench.goals import judged
from bench.report import chart, page, rows, table


def figures(tool: str, *seconds: float, **more: Any) -> dict[str, Any]:
    return {
        "case": "noop",
        "hosts": 4,
        "rtt": 50,
        "tool": tool,
        "seconds": list(seconds),
        "cpu": [0.5],
        "peak": [1000],
        **more,
    }


@pytest.fixture
def result() -> dict[str, Any]:
    wire = {"to_hosts": [40_000], "from_hosts": [8_000], "connections": [4]}
    return {
        "when": "2030-01-02T03:04:05+00:00",
        "machine": {
            "cpu": "Abacus",
            "processors": 2,
            "memory_gib": 24.0,
            "kernel": "6.1",
            "python": "3.11.2",
            "load": 0.1,
        },
        "peers": ["pyinfra==3.10.0"],
        "cells": [
            figures("floor", 1.0, 0.5, 9.0),
            figures("nodriza", 2.0, 1.0, 3.0, **wire),
            figures("pyinfra", 30.0),
        ],
        "controller": {
            "list": [{"seconds": 0.2, "cpu": 0.2, "peak": 30_000}],
            "plan": {
                "10": {"seconds": [0.5], "peak": 51_200, "import": 0.2, "load": 0.1, "plan": 0.1}
            },
            "ceiling": {
                "hosts_a_second": 41.2,
                "cpu_ms_a_host": 24.04,
                "cpu_ms_a_host_without_key_exchange": 17.26,
            },
        },
        "first": {"provision": [40.0, 60.0], "apt": [30.0, 32.0], "apt_alone": [20.0, 20.0]},
    }


def test_ratios_are_of_medians(result: dict[str, Any]) -> None:
    found = {row[0]: row for row in rows({each["tool"]: each for each in result["cells"]})}
    assert found["nodriza"][1:6] == ["2.00", "1.00 – 3.00", "3", "1.00", "2.00"]
    assert found["pyinfra"][4:6] == ["15.00", "30.00"]
    assert found["nodriza"][7] == "12.0"  # kB a host, both ways
    assert found["floor"][7] == ""


def test_the_terminal_sees_each_tool(result: dict[str, Any]) -> None:
    said = table(result)
    assert "4 hosts, 50 ms away: nothing to do" in said
    assert all(name in said for name in ("floor", "nodriza", "pyinfra"))


def test_the_page_is_restructured_text(result: dict[str, Any]) -> None:
    html = docutils.core.publish_string(
        page(result), writer="html5", settings_overrides={"halt_level": 2}
    ).decode()
    assert "Abacus" in html
    assert "15.00" in html
    assert "50</p>" in html  # MB at the peak of ten nodes
    assert "17.3 ms without the key exchange" in html
    assert "50.0 s" in html  # the median of the first provisions


def test_the_chart_has_a_bar_for_each_tool_the_longer_the_slower(result: dict[str, Any]) -> None:
    tree = ElementTree.fromstring(chart(result))
    bars = [
        float(each.attrib["width"])
        for each in tree.iter("{http://www.w3.org/2000/svg}rect")
        if each.attrib["class"] != "card"
    ]
    assert len(bars) == 3
    assert bars == sorted(bars)


def test_goals_are_judged_by_what_was_measured(result: dict[str, Any]) -> None:
    lines = judged(result)
    assert "NOT 4 hosts, 50 ms away: round trips more than the floor: 20.00 (at most 1)" in lines
    assert "ok  kB on the wire for a host with nothing to do: 12.00 (at most 20)" in lines
    assert not [line for line in lines if "16 hosts" in line]
    assert any(line.startswith("NOT first provision") for line in lines)


def test_a_peer_has_to_be_slower_by_so_much(result: dict[str, Any]) -> None:
    cells = [("nodriza", 1.0), ("pyinfra", 7.5), ("ansible", 49.0)]
    result["cells"] = [{**figures(tool, value), "hosts": 16, "rtt": 0} for tool, value in cells]
    lines = judged(result)
    assert "ok  16 hosts, nothing to do: pyinfra / nodriza: 7.50 (at least 7)" in lines
    assert "NOT 16 hosts, nothing to do: ansible / nodriza: 49.00 (at least 50)" in lines
