"""What a run looks like on a terminal, in a log and to a machine."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from nodriza.errors import ConnectionFailed
from nodriza.report import Report, make_report
from nodriza.report.clean import Output
from nodriza.report.jsonl import JsonReport
from nodriza.report.live import LiveReport
from nodriza.report.plain import PlainReport
from nodriza.report.recap import slowest
from nodriza.report.words import details, duration
from nodriza.result import NodeResult

VALUE = "hunter2hunter2"
ESCAPE = "\x1b[31m"


def redact(text: str) -> str:
    return text.replace(VALUE, "‹secret:redis›")


def resource(name: str, status: str = "changed", **more: Any) -> dict[str, Any]:
    event = {"event": "resource", "id": name, "status": status, "gap": {}, "diff": "", "words": ""}
    return {**event, "seconds": 0.0, "origin": "roles/nginx.py:12", **more}


CONF = resource(
    "file:/etc/nginx/nginx.conf",
    gap={"mode": ["0644", "0600"], "sha256": ["a" * 64, "b" * 64]},
    diff=f"--- old\n+++ new\n-pass {VALUE}\n+pass no",
)
NGINX = resource(
    "service:nginx", "failed", words=f'nginx -t: exit 1\nunknown "{ESCAPE}{VALUE}" in nginx.conf:3'
)
RESTORED = {"event": "restored", "unit": "nginx", "paths": ["/etc/nginx/nginx.conf"]}
TIMER = resource("service:timer", "skipped", words="after service:nginx failed")
QUIET = resource("directory:/srv", "ok")
NO_WAY = ConnectionFailed(
    "no way to the host: no answer within 10 s",
    where="video-1 (root@198.18.7.21:22)",
    kept="nothing was changed on it",
    do="see that it runs",
)


def play(report: Report, *, check: bool = False, finish: bool = True) -> dict[str, NodeResult]:
    """A run in which server-2 rejects its nginx.conf and video-1 can't be reached."""
    bad = NodeResult("server-2", ok=1, changed=1, failed=1, skipped=1, seconds=2.5)
    bad.resources = [QUIET, CONF, NGINX, TIMER]
    results = {"server-2": bad, "video-1": NodeResult("video-1", error=NO_WAY, seconds=10.0)}
    report.start([("server-2", 4), ("video-1", 7)])
    report.event("server-2", {"event": "connecting"})
    report.event("video-1", {"event": "connecting"})
    report.event("server-2", {"event": "start", "resources": 4, "check": check})
    owed = {"event": "owed", "id": "service:uwsgi", "action": "reload", "since": "2026-01-01"}
    report.event("server-2", owed)
    for event in (QUIET, CONF, RESTORED, NGINX, TIMER):
        report.event("server-2", event)
    report.event("server-2", {"event": "end"})
    if finish:
        for name, result in results.items():
            report.done(name, result)
        report.finish(results, 12.6, check)
    return results


def plain(*, diff: bool = False, check: bool = False) -> str:
    stream = io.StringIO()
    play(make_report("plain", diff=diff, redact=redact, stream=stream), check=check)
    return stream.getvalue()


def live(width: int = 100, height: int = 24) -> tuple[LiveReport, io.StringIO]:
    stream = io.StringIO()
    out = Output(stream, redact)
    file: Any = out
    console = Console(file=file, width=width, height=height, force_terminal=False)
    ticks = iter(range(10_000))
    report = LiveReport(
        out, diff=False, again="fab provision:{node}", console=console, clock=lambda: next(ticks)
    )
    return report, stream


def moving_part(report: LiveReport) -> list[str]:
    lines = report.console.render_lines(report, pad=False)
    return ["".join(segment.text for segment in line) for line in lines]


# Plain lines


def test_plain__has_a_line_for_what_changed_failed_or_was_skipped_and_none_for_the_rest() -> None:
    said = plain()
    assert "server-2  changed  file:/etc/nginx/nginx.conf (mode 0644 → 0600, content)\n" in said
    assert "server-2  failed   service:nginx (nginx -t: exit 1)\n" in said
    assert (
        "server-2  skipped  service:timer and all after it (after service:nginx failed)\n" in said
    )
    assert "server-2  restored  /etc/nginx/nginx.conf\n" in said
    assert "server-2  owed     service:uwsgi (reload, due since 2026-01-01" in said
    assert "directory:/srv" not in said


def test_plain__says_would_change_in_check_mode() -> None:
    said = plain(check=True)
    assert "server-2  would change  file:/etc/nginx/nginx.conf" in said
    assert "  changed  " not in said


def test_plain__writes_the_same_lines_for_the_same_run() -> None:
    assert plain() == plain()


def test_plain__shows_a_diff_only_when_asked() -> None:
    assert "+pass no" not in plain()
    assert "    +pass no\n" in plain(diff=True)


def test_plain__does_not_import_rich() -> None:
    code = "import sys, nodriza.report as r; r.make_report('plain'); print('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# What no report shows


@pytest.mark.parametrize("kind", ["plain", "json", "live"])
def test_every_report__shows_tokens_in_the_place_of_values(kind: Any) -> None:
    stream = io.StringIO()
    play(make_report(kind, diff=True, redact=redact, stream=stream))
    assert VALUE not in stream.getvalue()
    assert "secret:redis" in stream.getvalue()


@pytest.mark.parametrize("kind", ["plain", "json", "live"])
def test_every_report__keeps_a_hosts_escape_codes_from_the_terminal(kind: Any) -> None:
    stream = io.StringIO()
    play(make_report(kind, redact=redact, stream=stream))
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("\x1b]0;a title\x07words", "words"),
        ("over\rwritten\x08", "overwritten"),
        ("a\r\nb\tc", "a\nb    c"),
        ("hunter2\x1b[0mhunter2", "‹secret:redis›"),
        ("\u202eesrever", "esrever"),
    ],
)
def test_clean__leaves_nothing_that_moves_a_cursor_or_splits_a_value(
    said: str, shown: str
) -> None:
    assert Output(io.StringIO(), redact).clean(said) == shown


# The recap


@pytest.fixture(params=["plain", "live at 40", "live at 100"])
def recap(request: pytest.FixtureRequest) -> str:
    if request.param == "plain":
        return plain()
    report, stream = live(width=int(request.param.split()[-1]))
    play(report)
    return stream.getvalue()


def test_recap__counts_per_node(recap: str) -> None:
    rows = [line.split() for line in recap.splitlines()]
    assert ["server-2", "1", "1", "1", "1", "2.5", "s"] in rows
    assert ["video-1", "0", "0", "0", "0", "10.0", "s"] in rows


def test_recap__tells_a_failure_in_full(recap: str) -> None:
    told = recap[recap.index("FAILED  server-2  service:nginx") :]
    assert "at    roles/nginx.py:12\n" in told
    assert 'nginx -t: exit 1\n    unknown "‹secret:redis›" in nginx.conf:3\n' in told
    assert "kept  /etc/nginx/nginx.conf as before this run; 1 resource after it" in told
    assert "next  fab provision:server-2, once the cause is mended\n" in told


def test_recap__tells_what_kept_us_from_a_node(recap: str) -> None:
    told = recap[recap.index("FAILED  video-1") :]
    assert "at    video-1 (root@198.18.7.21:22)\n    no way to the host: no answer" in told
    assert "kept  nothing was changed on it\n  next  see that it runs\n" in told


def test_recap__ends_with_the_verdict(recap: str) -> None:
    assert recap.splitlines()[-1] == "2 of 2 nodes failed: server-2, video-1 (12.6 s)"


def test_recap__table_fits_forty_columns() -> None:
    report, stream = live(width=40)
    names = ["server-1", "a-node-with-quite-a-long-name"]
    report.start([(name, 1) for name in names])
    report.finish({name: NodeResult(name, seconds=4000) for name in names}, 1, check=False)
    assert max(len(line) for line in stream.getvalue().splitlines()) <= 40


@pytest.mark.parametrize(
    ("changed", "check", "words"),
    [
        (0, False, "nothing to change on 1 node (1.0 s)"),
        (0, True, "nothing to change on 1 node (1.0 s)"),
        (1, False, "1 resource changed on 1 node (1.0 s)"),
        (3, True, "3 resources would change on 1 node (1.0 s)"),
    ],
)
def test_recap__verdict_of_a_good_run(changed: int, check: bool, words: str) -> None:
    stream = io.StringIO()
    report = make_report("plain", stream=stream)
    report.start([("server-1", 3)])
    report.finish({"server-1": NodeResult("server-1", changed=changed)}, 1.0, check)
    assert stream.getvalue().splitlines()[-1] == words


def test_recap__names_the_five_slowest_and_packages_of_one_go_once() -> None:
    many = [resource(f"package:p{number}", seconds=42.0 + number / 1000) for number in range(8)]
    many += [resource(f"command:c{number}", seconds=number) for number in range(8)]
    found = slowest({"server-2": NodeResult("server-2", resources=many)})
    assert [(entry["id"], entry["more"]) for entry in found] == [
        ("package:p0", 7),
        ("command:c7", 0),
        ("command:c6", 0),
        ("command:c5", 0),
        ("command:c4", 0),
    ]


def test_recap__tells_packages_that_failed_together_once() -> None:
    stream = io.StringIO()
    report = make_report("plain", stream=stream)
    many = [resource(f"package:p{number}", "failed", words="apt: no") for number in range(8)]
    report.start([("server-2", 8)])
    report.finish({"server-2": NodeResult("server-2", failed=8, resources=many)}, 1.0, check=False)
    assert "FAILED  server-2  package:p0 and 7 more\n" in stream.getvalue()
    assert stream.getvalue().count("apt: no") == 1


# Words


@pytest.mark.parametrize(
    ("gap", "words", "read"),
    [
        ({"mode": ["0644", "0600"]}, "", "mode 0644 → 0600"),
        ({"exists": [False, True]}, "", "new"),
        ({"exists": [True, False]}, "", "goes away"),
        ({"sha256": ["another size", "b" * 64]}, "", "content"),
        ({"password": ["hidden", "hidden"]}, "", "password"),
        ({"owner": [None, "videoteca"]}, "", "owner nothing → videoteca"),
        ({"enabled": [False, True], "running": [False, True]}, "", "enabled, running"),
        ({"running": [True, False]}, "", "not running"),
        ({}, "reload", "reload"),
        ({"target": ["x" * 60, "y"]}, "", "target"),
    ],
)
def test_details__read_as_a_person_says_it(gap: dict[str, Any], words: str, read: str) -> None:
    assert details(resource("x:y", gap=gap, words=words)) == read


@pytest.mark.parametrize(
    ("seconds", "read"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (59.96, "1:00"), (245, "4:05"), (3723, "1:02:03")],
)
def test_duration__has_one_unit_and_no_rounding_to_sixty(seconds: float, read: str) -> None:
    assert duration(seconds) == read


# The live view


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


# JSON


def test_json__has_an_object_a_line_each_with_its_node_and_a_recap_at_the_end() -> None:
    stream = io.StringIO()
    play(make_report("json", redact=redact, stream=stream))
    *events, recap = [json.loads(line) for line in stream.getvalue().splitlines()]

    assert all(event["node"] in ("server-2", "video-1") for event in events)
    assert [event["event"] for event in events if event["node"] == "video-1"] == [
        "planned",
        "connecting",
        "done",
    ]
    assert recap["event"] == "recap"
    assert recap["success"] is False
    assert recap["nodes"]["server-2"]["failed"] == 1
    assert recap["nodes"]["video-1"]["error"]["kind"] == "ConnectionFailed"
    assert [failure["id"] for failure in recap["failures"]] == ["service:nginx", ""]


@pytest.mark.parametrize("kind", ["plain", "json"])
def test_failure__names_the_command_that_was_typed_as_the_next_one(kind: Any) -> None:
    stream = io.StringIO()
    play(make_report(kind, stream=stream, again="fab production deploy"))
    assert "fab production deploy, once the cause is mended" in stream.getvalue()


def test_json__keeps_what_the_host_said_to_the_letter() -> None:
    stream = io.StringIO()
    report = make_report("json", stream=stream)
    report.event("server-2", resource("command:x", "failed", words="a\tb\r\né\x1b[0m"))
    assert json.loads(stream.getvalue())["words"] == "a\tb\r\né\x1b[0m"


# Choosing, and readers that go away


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("kind", "stream", "environment", "made"),
    [
        ("auto", Terminal, {}, LiveReport),
        ("auto", Terminal, {"CI": "true"}, PlainReport),
        ("auto", Terminal, {"TERM": "dumb"}, PlainReport),
        ("auto", io.StringIO, {}, PlainReport),
        ("live", io.StringIO, {"CI": "true"}, LiveReport),
        ("json", Terminal, {}, JsonReport),
    ],
)
def test_make_report__fits_what_reads_it(
    monkeypatch: pytest.MonkeyPatch,
    kind: Any,
    stream: Callable[[], io.StringIO],
    environment: dict[str, str],
    made: type,
) -> None:
    for name in ("CI", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert type(make_report(kind, stream=stream())) is made


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


@pytest.mark.parametrize("kind", ["plain", "json", "live"])
def test_broken_pipe__ends_the_output_and_not_the_run(kind: str, tmp_path: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_report import make_report, play
for _ in range(50):
    play(make_report({kind!r}))
open({str(tmp_path / "end")!r}, "w").close()
"""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "end").exists()


def test_stream_without_unicode__gets_the_nearest_there_is() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    play(make_report("plain", redact=redact, stream=stream))
    stream.seek(0)
    said = stream.read()
    assert "mode 0644 > 0600" in said
    assert "<secret:redis>" in said
