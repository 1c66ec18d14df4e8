"""One history out of what many nodes remember, and what may be rolled back."""

from __future__ import annotations

import io
import json
import subprocess

import pytest

from nodriza.change import rollback
from nodriza.errors import ConnectionFailed, HostRefused, TargetError
from nodriza.host.line import EventStream
from nodriza.host.redact import HIDDEN, Redactor
from nodriza.report.result import NodeResult
from nodriza.rollout.revision import revision
from nodriza.ssh.conversation import Conversation
from nodriza.watch import history as engine

WELL = {"changed": 2, "failed": 0, "skipped": 0}


def record(run: str, *paths: str, **more) -> dict:
    kept = [{"path": path, "type": "file"} for path in paths]
    head = {"who": "ana", "from": "laptop", "when": "2026-11-21T08:15:00Z", "what": "provision"}
    return {**head, "run": run, "counts": WELL, "resources": {}, "kept": kept, **more}


def node(name: str, *records: dict) -> NodeResult:
    return NodeResult(name, facts={"history": list(records)})


def history(*results: NodeResult) -> engine.History:
    return engine.together({result.node: result for result in results})


def test_one_run_on_many_nodes__is_one_entry_and_the_newest_comes_first():
    found = history(
        node("server-1", record("2-b", "/a"), record("1-a", "/a")),
        node("server-2", record("2-b", "/a")),
    )
    assert [(entry.id, list(entry.nodes)) for entry in found.entries] == [
        ("2-b", ["server-1", "server-2"]),
        ("1-a", ["server-1"]),
    ]


def test_table__says_who_when_from_where_and_what_came_of_it():
    failed = {"changed": 1, "failed": 1, "skipped": 3}
    found = history(
        node("server-1", record("2-b", revision="1a2b3c4+")),
        node("server-2", record("2-b", counts=failed)),
        node("video-1", record("2-b", counts=None)),
    )
    (line,) = list(engine.table(found))[1:]
    assert line.split("  ") == [
        "2-b",
        "2026-11-21 08:15",
        "ana@laptop",
        "provision",
        "1a2b3c4+",
        "server-1 2 changed; server-2 1 changed, 1 failed; video-1 cut short",
    ]


def test_story__tells_every_change_and_what_was_kept():
    changes = {
        "file:/a": {"status": "changed", "gap": {"mode": ["0644", "0600"]}, "words": ""},
        "service:web": {"status": "failed", "gap": {}, "words": "it says no"},
        "file:/old": {"status": "changed", "gap": {"left": [True, False]}, "words": ""},
    }
    found = history(node("server-1", record("2-b", "/a", resources=changes)))
    text = "\n".join(engine.story(found.entries[0]))
    assert "  changed  file:/a (mode 0644 → 0600)" in text
    assert "  failed   service:web (it says no)" in text
    assert "  removed  file:/old (not planned any more)" in text
    assert "/a: file kept" in text


def test_run__is_found_by_a_part_of_its_id():
    found = history(node("server-1", record("2-bcd"), record("1-bce")))
    assert found.find("cd").id == "2-bcd"
    with pytest.raises(TargetError, match="2 runs"):
        found.find("bc")
    with pytest.raises(TargetError, match="no run") as error:
        found.find("xyz")
    assert "2-bcd, 1-bce" in error.value.do


def test_run_that_is_not_found__may_be_on_the_nodes_that_did_not_answer():
    """An error is no empty answer."""
    away = NodeResult(node="server-3", error=ConnectionFailed("its gateway does not answer"))
    with pytest.raises(TargetError, match="server-3: its gateway does not answer") as error:
        history(node("server-1", record("1-abc")), away).find("xyz")
    assert 'no run "xyz" here on the nodes that answer' in error.value.what


def refusal(found: engine.History, word: str, **options) -> HostRefused | TargetError:
    with pytest.raises((HostRefused, TargetError)) as error:
        rollback.rollback(None, found, found.find(word), None, None, **options)
    assert "nothing was changed" in error.value.kept
    return error.value


def test_rollback__is_refused_when_a_later_run_replaced_the_same_file_on_the_same_node():
    found = history(
        node("server-1", record("3-c", "/b"), record("2-b", "/a"), record("1-a", "/a", "/b")),
        node("server-2", record("4-d", "/a")),
    )
    error = refusal(found, "1-a")
    assert "3-c (provision, by ana@laptop)" in error.what
    assert error.what.endswith("later: /b")
    assert error.where == "server-1"
    assert "--run 3-c" in error.do
    assert "--force" in error.do


def test_rollback__may_be_asked_for_again():
    back = record("2-b", "/a", what="rollback --run 1-a")
    found = history(node("server-1", back, record("1-a", "/a")))
    assert rollback.later_runs(found, found.find("1-a")) == []
    assert rollback.later_runs(found, found.find("2-b")) == []


def test_rollback_of_a_deploy__says_what_to_type():
    found = history(node("server-1", record("1-a", "/current", what="deploy")))
    assert "fab deploy --rollback" in refusal(found, "1-a").do


def test_rollback_of_a_run_without_files__is_refused():
    found = history(node("server-1", record("1-a")))
    assert "replaced no files" in refusal(found, "1-a").what


def test_rollback__is_refused_when_a_node_does_not_answer():
    found = history(
        node("server-1", record("1-a", "/a")),
        NodeResult("server-2", error=ConnectionFailed("no way to the host")),
    )
    assert refusal(found, "1-a").where == "server-2"


def test_what_is_no_file__is_said_not_to_be_undone():
    changes = {
        id: {"status": "changed", "gap": {}, "words": ""}
        for id in ("file:/a", "package:nginx", "databaseuser:a@b", "service:nginx")
    }
    gone = {"status": "changed", "gap": {"left": [True, False]}, "words": ""}
    changes |= {"service:old": gone, "file:/old": gone}
    found = history(node("server-1", record("1-a", "/a", resources=changes)))
    (line,) = rollback.not_undone(found.entries[0])
    assert line == (
        "server-1: not undone: 3 resources of other kinds: package:nginx, databaseuser:a@b,"
        " service:old"
    )


def test_rollback_s_resources__keep_their_names_on_the_way_and_hide_old_secrets():
    """They are others than the plan's, in another order: their number would not be enough."""
    stream = io.BytesIO()
    line = EventStream(stream, Redactor({}), {})
    line.counts_ok = False
    line.closed = {"file:/secret"}
    rest = {"event": "resource", "gap": {}, "diff": "-old\n+new", "words": "", "seconds": 0.0}
    for id, status in (("absent:/a", "ok"), ("file:/secret", "changed"), ("link:/b", "changed")):
        line.emit({**rest, "id": id, "status": status})
    records = stream.getvalue().split(b"\x1e")[1:]
    plan = [{"id": "file:/of/the/plan"}]
    asked = {"mode": "apply", "rollback": "run-1", "whole": False, "ask": {}, "resources": plan}
    host = Conversation(asked)
    start = {"event": "start", "resources": 3, "left": {}, "python": "3", "check": False}
    start["clock"] = 0.0
    assert list(host.heard(json.dumps(start).encode())) == [start]
    heard = [event for record in records for event in host.heard(record)]
    assert [event["id"] for event in heard] == ["absent:/a", "file:/secret", "link:/b"]
    assert [event["diff"] for event in heard] == ["-old\n+new", HIDDEN, "-old\n+new"]
    assert list(line.told) == ["file:/secret", "link:/b"]


def test_revision__is_the_commit_and_a_plus_when_files_differ(tmp_path):
    file = tmp_path / "mine.yml"
    assert revision(file) == ""
    file.write_text("a")

    def git(*words: str) -> str:
        own = ["-c", "user.name=a", "-c", "user.email=a@b"]
        done = subprocess.run(
            ["git", "-C", tmp_path, *own, *words], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "x")
    commit = git("rev-parse", "--short", "HEAD")
    assert revision(file) == commit
    file.write_text("b")
    assert revision(file) == f"{commit}+"
