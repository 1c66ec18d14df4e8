"""What a run looks like on a terminal."""

from __future__ import annotations

import pytest

from nodriza.report import make_report
from nodriza.report.result import NodeResult
from tests.unit.report.runs import (
    NO_WAY,
    Terminal,
    live,
    moving_part,
    play,
    resource,
)


def test_live__shows_how_far_each_node_is_and_what_it_does() -> None:
    report, _ = live()
    play(report, finish=False)
    report.event("server-2", {"event": "doing", "id": "package:a package:b package:c"})
    first, second, total = moving_part(report)

    assert first.startswith("✗ server-2  ━━━━━━━━━━━━━━━━━━━━  4/4  package:a and 2 more")
    assert second[2:].startswith("video-1   ────────────────────  0/7  connecting")
    assert total.startswith("  0/2 nodes, 1 changed, 1 failed, ")


def test_live__ends_each_line_with_the_nodes_outcome() -> None:
    report, _ = live()
    report.start([("server-1", 3), ("video-1", 3)])
    report.done("server-1", NodeResult("server-1", ok=3))
    report.done("video-1", NodeResult("video-1", error=NO_WAY))
    first, second, _ = moving_part(report)

    assert first.startswith("✓ server-1")
    assert "nothing to change" in first
    assert second.startswith("✗ video-1")
    assert "no way to the host: no answer within 10 s" in second


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_live__keeps_each_node_on_one_line(width: int) -> None:
    report, _ = live(width=width)
    play(report, finish=False)
    report.event("server-2", {"event": "doing", "id": "file:/" + "long/" * 60})
    lines = moving_part(report)
    assert len(lines) == 3
    assert all(len(line) <= width for line in lines)


def test_live__on_forty_columns_drops_the_bar_and_keeps_the_rest() -> None:
    report, _ = live(width=40)
    play(report, finish=False)
    assert moving_part(report)[1][2:].startswith("video-1   0/7  connecting ")


def test_live__on_a_small_screen_shows_failed_and_working_nodes_and_counts_the_others() -> None:
    report, _ = live(height=6)
    report.start([(f"server-{number}", 5) for number in range(1, 41)])
    report.event("server-30", {"event": "connecting"})
    report.done("server-1", NodeResult("server-1", ok=5))
    report.done("server-40", NodeResult("server-40", failed=1))
    lines = moving_part(report)

    assert [line.split()[1] for line in lines[:-1]] == ["server-2", "server-30", "server-40"]
    assert "2/40 nodes, 1 failed, 37 not shown" in lines[-1]


def test_live__leaves_changed_and_failed_resources_on_the_screen() -> None:
    report, stream = live()
    play(report)
    said = stream.getvalue()
    assert "~ server-2  file:/etc/nginx/nginx.conf (mode 0644 → 0600, content)\n" in said
    assert "✗ server-2  service:nginx (nginx -t: exit 1)\n" in said


def test_live__has_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    def colours() -> bool:
        stream = Terminal()
        play(make_report("live", stream=stream))
        return "\x1b[32m" in stream.getvalue() or "\x1b[33m" in stream.getvalue()

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert colours()
    monkeypatch.setenv("NO_COLOR", "1")
    assert not colours()


def test_what_is_planned_no_more__stays_on_the_screen() -> None:
    report, stream = live()
    report.start([("server-2", 1)])
    report.event("server-2", {"event": "start", "resources": 1, "check": False})
    report.event("server-2", {"event": "kept", "things": {"file:/etc/b": "it was here before"}})
    report.event("server-2", resource("file:/etc/a", gap={"left": [True, False]}))
    report._live.stop()
    said = stream.getvalue()
    assert "kept file:/etc/b (not planned any more, it was here before)" in said
    assert "removed file:/etc/a (not planned any more)" in said
