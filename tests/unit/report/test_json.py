"""What a run looks like to a machine."""

from __future__ import annotations

import io
import json

from nodriza.report import make_report
from tests.unit.report.runs import play, redact, resource


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


def test_json__keeps_what_the_host_said_to_the_letter() -> None:
    stream = io.StringIO()
    report = make_report("json", stream=stream)
    report.event("server-2", resource("command:x", "failed", words="a\tb\r\né\x1b[0m"))
    assert json.loads(stream.getvalue())["words"] == "a\tb\r\né\x1b[0m"
