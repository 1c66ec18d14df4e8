"""What a worker of uwsgi says when it is asked how its node is."""

from __future__ import annotations

import sys
import threading
import types
from pathlib import Path
from typing import Any

import pytest

from tests.unit.roles.made import functions


@pytest.fixture
def worker(three_node, tmp_path) -> dict[str, Any]:
    names = functions(three_node, "server-2", "/etc/uwsgi/videoteca_release.py")
    names.update(SHARE=str(tmp_path), SHARE_PATIENCE=0.05, database=lambda: "")
    names["GOOD"] = str(tmp_path / "good")
    names["MISSED"] = str(tmp_path / "missed")
    return names


def ask(serve: Any, **environ: str) -> tuple[str, str]:
    said: list[str] = []
    body = serve({"PATH_INFO": "/healthz/here", **environ}, lambda status, _: said.append(status))
    return said[0], b"".join(body).decode().strip()


def application(status: str, seen: dict[str, str] | None = None) -> Any:
    def serve(environ, start_response):
        (seen if seen is not None else {}).update(environ)
        start_response(status, [])
        return [b"said the application"]

    return serve


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "302 Found"])
def test_node_is_well__when_the_application_answers_whatever_it_has(worker, status):
    serve = worker["with_health"](application(status))
    assert ask(serve, NODRIZA_HEALTH="1") == ("200 OK", "ok")


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("127.0.0.1", True),
        ("198.18.7.11", True),
        ("198.18.8.12", False),
        ("::1", True),
        ("", False),
    ],
)
def test_release__is_told_to_nodes_of_the_cluster_and_to_no_stranger(worker, address, told):
    headers: list[tuple[str, str]] = []
    worker["release"] = "/opt/videoteca/releases/abc"
    serve = worker["with_health"](application("200 OK"))
    environ = {"PATH_INFO": "/healthz", "NODRIZA_HEALTH": "1", "REMOTE_ADDR": address}
    serve(environ, lambda _, more: headers.extend(more))
    assert (("X-Release", "abc") in headers) is told


@pytest.mark.parametrize("status", ["500 Oh", "503 No", "400 Bad Request"])
def test_node_is_ill__when_the_application_is_or_does_not_know_its_name(worker, status):
    said, words = ask(worker["with_health"](application(status)), NODRIZA_HEALTH="1")
    assert said.startswith("503")
    assert words == f"application: {status} said the application"


def test_application__is_asked_for_its_own_view_by_the_site_s_name(worker):
    seen: dict[str, str] = {}
    ask(
        worker["with_health"](application("200 OK", seen)), NODRIZA_HEALTH="1", HTTP_HOST="1.2.3.4"
    )
    assert (seen["PATH_INFO"], seen["HTTP_HOST"]) == ("/healthz", "videoteca.test")


def test_visitor__meets_the_application_and_nothing_else(worker):
    worker["database"] = lambda: pytest.fail("asked")
    serve = worker["with_health"](application("200 OK"))
    assert ask(serve, HTTP_NODRIZA_HEALTH="1") == ("200 OK", "said the application")


def test_database_that_is_away__is_told_before_the_application_is_asked(worker):
    worker["database"] = lambda: "database: OperationalError"
    serve = worker["with_health"](lambda *_: pytest.fail("asked"))
    assert ask(serve, NODRIZA_HEALTH="1")[1] == "database: OperationalError"


def test_share_that_is_away__is_told(worker):
    worker["SHARE"] = "/nowhere/media"
    words = ask(worker["with_health"](application("200 OK")), NODRIZA_HEALTH="1")[1]
    assert words == "share: No such file or directory"


def test_share_that_hangs__costs_one_thread_however_often_it_is_asked(worker):
    asked, open_again = [], threading.Event()

    class Hanging:
        def __getattr__(self, name):
            return lambda path: (asked.append(path), open_again.wait(20))

    worker["os"] = Hanging()
    serve = worker["with_health"](application("200 OK"))
    answers = [ask(serve, NODRIZA_HEALTH="1") for _ in range(3)]
    open_again.set()
    worker["Probe"].current.join()
    assert {status for status, _ in answers} == {"503 Service Unavailable"}
    assert "no answer" in answers[0][1]
    assert asked == [worker["SHARE"]] * 2  # stat and statvfs, once


def test_node_where_nothing_was_ever_deployed__is_not_ill(worker):
    closed = worker["closed"]("nothing is deployed yet")
    assert ask(closed, NODRIZA_HEALTH="1")[0] == "404 Not Found"
    assert ask(closed)[0] == "503 Service Unavailable"


def test_node_that_has_lost_its_release__is_ill(worker, tmp_path):
    Path(worker["GOOD"]).write_text(str(tmp_path))
    closed = worker["closed"]("nothing is deployed yet")
    assert ask(closed, NODRIZA_HEALTH="1")[0] == "503 Service Unavailable"


def test_worker_that_begins_while_the_share_is_away__begins_anew_when_it_is_back(
    worker, three_node, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "uwsgi", types.ModuleType("uwsgi"))
    mule = functions(three_node, "server-2", "/etc/uwsgi/videoteca_reload.py")
    current = tmp_path / "current"
    for names in (worker, mule):
        names.update(CURRENT=str(current), MISSED=str(tmp_path / "missed"))
    Path(worker["GOOD"]).write_text("/gone/with/the/share")
    assert worker["choose"]() == ("", "the share is away")
    assert not mule["missed"]()
    current.mkdir()
    assert mule["missed"]()
    assert not mule["missed"](), "once"


def test_worker_of_a_bare_node__says_what_to_do(worker, tmp_path):
    worker["CURRENT"] = str(tmp_path / "current")
    assert worker["choose"]() == ("", "nothing is deployed yet. Next: fab deploy")
