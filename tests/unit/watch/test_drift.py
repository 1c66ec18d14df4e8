"""What counts as drift, how it is told, and the exit code that a cron job goes by."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

from nodriza.errors import ConnectionFailed
from nodriza.report.outcome import junit
from nodriza.report.result import NodeResult
from nodriza.watch import drift as engine

OK = {"event": "resource", "id": "service:nginx", "status": "ok", "gap": {}, "words": ""}
FILE = {
    "event": "resource",
    "id": "file:/etc/nginx/nginx.conf",
    "status": "changed",
    "gap": {"sha256": ["a", "b"]},
    "words": "",
}
RELOAD = {"event": "resource", "id": "service:nginx", "status": "changed", "gap": {}, "words": ""}


def node(name: str, *events: dict, strays: tuple = (), **more) -> NodeResult:
    return NodeResult(name, resources=list(events), facts={"strays": list(strays)}, **more)


def drifts(*results: NodeResult) -> list[engine.Drift]:
    return [engine.of(result) for result in results]


CLEAN = node("server-1", OK)
DIFFERS = node("server-2", FILE, RELOAD)
STRAY = node("server-1", OK, strays=("eva@198.18.7.99 may log in to the database",))
OWED = node("server-3", OK, owed=["service:uwsgi"])
AWAY = NodeResult("video-1", error=ConnectionFailed("no way to the host", do="see that it runs"))


def test_difference__is_drift_and_what_would_follow_from_it_is_not():
    (drift,) = drifts(DIFFERS)
    assert drift.differs == {"file:/etc/nginx/nginx.conf": "content"}


def test_restart_that_is_due__is_drift():
    (drift,) = drifts(OWED)
    assert list(drift.differs) == ["service:uwsgi"]


def test_exit_code__is_0_clean_2_drift_1_error():
    assert engine.exit_code(drifts(CLEAN)) == 0
    for drifted in (DIFFERS, STRAY, OWED):
        assert engine.exit_code(drifts(CLEAN, drifted)) == 2
    assert engine.exit_code(drifts(CLEAN, DIFFERS, AWAY)) == 1


def test_words__name_every_finding_and_what_to_type():
    text = "\n".join(engine.words(drifts(STRAY, DIFFERS, AWAY), "fab production"))
    assert "server-1  stray    eva@198.18.7.99 may log in to the database" in text
    assert "server-2  differs  file:/etc/nginx/nginx.conf (content)" in text
    assert "video-1   error    no way to the host" in text
    assert "see that it runs" in text
    assert "0 of 3 nodes are as planned" in text
    assert "next: fab production provision:server-2 --check --diff" in text


def test_words__of_a_clean_cluster_are_one_line():
    assert list(engine.words(drifts(CLEAN), "fab")) == ["1 of 1 nodes are as planned"]


def test_json__has_every_node():
    said = json.loads(engine.as_json(drifts(CLEAN, DIFFERS)))
    assert said["clean"] is False
    assert said["nodes"]["server-1"]["clean"] is True
    assert list(said["nodes"]["server-2"]["differs"]) == ["file:/etc/nginx/nginx.conf"]


def test_junit__is_one_case_a_node():
    suite = ET.fromstring(junit(engine.outcomes(drifts(CLEAN, STRAY)), "drift.mine"))
    assert suite.get("tests") == "2"
    assert suite.get("failures") == "1"
    assert "stray: eva@198.18.7.99" in suite[1][0].text
