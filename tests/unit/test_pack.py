"""The agent as it travels, started here by its own command: everything but SSH."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from nodriza import pack
from nodriza.resources import File, to_data

ME = {"owner": Path.home().owner(), "group": Path.home().group()}


def ask(resources: list, *, noise: bytes = b"", secrets: dict | None = None) -> list[dict]:
    """What it says. It is asked to check only, so this computer does not keep the agent."""
    request = {
        "run": "run-1",
        "mode": "check",
        "diff": True,
        "what": "test",
        "who": {},
        "facts": [],
        "secrets": secrets or {},
        "resources": [{"id": r.id, "origin": "roles/x.py:1", **to_data(r)} for r in resources],
    }
    with subprocess.Popen(
        ["sh", "-c", pack.command("")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(noise + pack.payload(request) + pack.agent())
        process.stdin.flush()  # and it stays open: its end would mean "stop"
        records = process.stdout.read().decode().split("\x1e")[1:]
        process.stdin.close()
        assert records, process.stderr.read().decode()
    first, *events = (json.loads(record) for record in records)
    assert first == {"event": "agent"}
    return events


def test_agent__arrives_whole_and_answers(tmp_path):
    events = ask([File(f"{tmp_path}/a", "x", **ME)])
    assert [event["event"] for event in events] == ["start", "resource", "end"]
    assert events[1]["status"] == "changed"
    assert not os.listdir(tmp_path)


def test_agent__skips_what_stands_before_the_request(tmp_path):
    """sudo did not ask for the password that was sent for it."""
    events = ask([File(f"{tmp_path}/a", "x", **ME)], noise=b"hunter2hunter2\n")
    assert events[-1]["event"] == "end"


def test_agent__shows_no_secret_in_a_diff(tmp_path):
    (tmp_path / "a").write_text("key = OLDVALUE1\n")
    file = File(f"{tmp_path}/a", "key = ‹secret:key›\n", **ME)
    said = json.dumps(ask([file], secrets={"key": "NEWVALUE1"}), ensure_ascii=False)
    assert "NEWVALUE1" not in said
    assert "OLDVALUE1" not in said
    assert "+key = ‹secret:key›" in said


def test_agent__is_the_same_bytes_each_time_and_small():
    first = pack.agent()
    pack.agent.cache_clear()
    assert pack.agent() == first
    assert len(first) < 60_000


def test_command__holds_no_secret_and_no_plan():
    assert len(pack.command("sudo -n")) < 2_000
