"""Gunicorn in the place of uWSGI: what it is made of, and what its workers do."""

from __future__ import annotations

import ast
import asyncio
import io
import re
import sys
from typing import Any

import pytest
from nodriza.roles.mysql import connections

from nodriza.resources import Package, Service
from tests.unit.roles.made import content, functions, remake, resources, settings, with_gunicorn

RELEASE = "/etc/gunicorn/videoteca_release.py"
RENEW = "/etc/gunicorn/videoteca_renew.py"
ASGI = "videoteca.asgi:application"


@pytest.fixture(params=["", ASGI], ids=["wsgi", "asgi"])
def cluster(three_node, request):
    return with_gunicorn(three_node, request.param)


def service(cluster, unit: str) -> Service:
    return next(s for s in resources(cluster, "server-2", Service) if s.unit == unit)


def test_gunicorn__is_debians_and_its_socket_is_systemds(cluster):
    assert Package("gunicorn") in resources(cluster, "server-2", Package)
    assert not [p for p in resources(cluster, "server-2", Package) if "uwsgi" in p.name]
    socket = settings(content(cluster, "server-2", "/etc/systemd/system/gunicorn.socket"))
    assert f"ListenStream={cluster.app.socket}" in socket
    assert "SocketMode=0660" in socket


def test_gunicorn__takes_a_release_and_a_password_with_new_workers_only(cluster):
    one = service(cluster, "gunicorn")
    app = cluster.app
    assert {f"link:{app.current}", f"file:{app.environment_file}", f"file:{RELEASE}"} == {
        *one.reload_on
    }
    assert "file:/etc/systemd/system/gunicorn.service" in one.restart_on
    assert "file:/etc/gunicorn/videoteca.conf.py" in one.restart_on


def test_unit__may_do_what_that_of_uwsgi_may(three_node, cluster):
    def box(which, unit):
        text = content(which, "server-2", f"/etc/systemd/system/{unit}.service")
        found = re.findall(r"^(?:Protect|Private|Restrict|Capab|NoNew|SystemC).*$", text, re.M)
        assert len(found) > 15
        return found

    assert box(cluster, "gunicorn") == box(three_node, "uwsgi") == box(cluster, "gunicorn-follow")


def test_files__are_python(cluster):
    for name in ("release", "worker", "renew"):
        ast.parse(content(cluster, "server-2", f"/etc/gunicorn/videoteca_{name}.py"))
    ast.parse(content(cluster, "server-2", "/etc/gunicorn/videoteca.conf.py"))


def test_processes_and_threads__are_those_of_the_inventory(three_node):
    conf = settings(
        content(with_gunicorn(three_node), "server-2", "/etc/gunicorn/videoteca.conf.py")
    )
    assert {"workers = 2", "threads = 2", "worker_connections = 2"} <= {*conf}
    own = remake(three_node, app=three_node.app.model_copy(update={"workers": None}))
    conf = settings(content(with_gunicorn(own), "server-2", "/etc/gunicorn/videoteca.conf.py"))
    assert "workers = len(os.sched_getaffinity(0)) + 1" in conf
    renew = content(with_gunicorn(own), "server-2", RENEW)
    assert "WORKERS = len(os.sched_getaffinity(0)) + 1" in renew


def test_websocket__passes_nginx_to_an_asgi_application_only(three_node):
    for asgi in ("", ASGI):
        node = with_gunicorn(three_node, asgi)
        application = content(node, "server-2", "/etc/nginx/videoteca.application")
        site = content(node, "server-2", "/etc/nginx/conf.d/videoteca.conf")
        assert ("proxy_set_header Connection $connection_upgrade;" in application) == bool(asgi)
        assert ('"~*^websocket$" upgrade;' in site) == bool(asgi)


def test_database__has_room_for_every_connection_of_an_asgi_application(three_node):
    asgi = connections(with_gunicorn(three_node, ASGI)) - connections(three_node)
    assert asgi == 2 * 2 * (20 - 2) * 2  # children, processes, each in the place of 2, reloaded


class Workers:
    """Those of a main process, which hears signals as Gunicorn's does."""

    def __init__(self, number: int) -> None:
        self.all = list(range(1, number + 1))
        self.last, self.least, self.told = number, number, []

    def tell(self, number: int) -> None:
        self.told.append(number)
        if number == 1:
            self.last += 1
            self.all.append(self.last)
        else:
            self.all.pop(0)
        self.least = min(self.least, len(self.all))

    def __call__(self) -> set[str]:
        return {str(each) for each in self.all}


@pytest.fixture
def renew(cluster):
    names = functions(cluster, "server-2", RENEW)
    names["workers"] = workers = Workers(2)
    names.update(ready=lambda: [*workers()], until=float("inf"), ENDING=0.01)

    class Signals:
        SIGTTIN, SIGTTOU = 1, 2

    names.update(signal=Signals, tell=workers.tell)
    return names, workers


def test_workers__are_replaced_one_after_the_other_and_never_fewer(renew):
    names, workers = renew
    names["new_workers"](workers())
    assert workers.all == [3, 4]
    assert workers.least == 2
    assert workers.told == [1, 2, 1, 2]


def test_worker_too_many__that_a_killed_reload_left_goes(renew):
    names, workers = renew
    workers.all.append(3)
    workers.last = 3
    names["new_workers"]({"2"})
    assert len(workers.all) == 2
    assert "2" not in workers()


def test_worker__that_never_serves_is_told_and_the_old_one_stays(renew):
    names, workers = renew
    before = workers()
    names.update(ready=lambda: [*before], until=0.0)
    with pytest.raises(SystemExit, match="no new worker serves"):
        names["new_workers"](workers())
    assert before <= workers()


@pytest.fixture
def following(renew, tmp_path):
    names, _ = renew
    for name in ("RELOAD", "MISSED", "TOUCHED", "CURRENT"):
        names[name] = str(tmp_path / name)
    (tmp_path / "RELOAD").touch()
    (tmp_path / "TOUCHED").write_text(names["touched"]())
    (tmp_path / "CURRENT").mkdir()
    names["done"] = []
    names["reload"] = lambda: names["done"].append("reload")
    return names


def test_touch__is_followed_once(following, tmp_path):
    following["follow_once"]()
    assert following["done"] == []
    (tmp_path / "TOUCHED").write_text("another time\n")
    following["follow_once"]()
    following["follow_once"]()
    assert following["done"] == ["reload"]


def test_touch__that_was_not_followed_to_the_end_is_followed_again(following, tmp_path):
    (tmp_path / "TOUCHED").write_text("another time\n")

    def killed():
        raise SystemExit("half-way")

    well, following["reload"] = following["reload"], killed
    with pytest.raises(SystemExit):
        following["follow_once"]()
    following["reload"] = well
    following["follow_once"]()
    assert following["done"] == ["reload"]


def test_worker__that_missed_the_release_is_replaced_when_there_is_one(following, tmp_path):
    (tmp_path / "MISSED").touch()
    (tmp_path / "CURRENT").rmdir()
    following["follow_once"]()
    assert following["done"] == []
    (tmp_path / "CURRENT").mkdir()
    following["follow_once"]()
    following["follow_once"]()
    assert following["done"] == ["reload"]


@pytest.fixture
def asgi(three_node, tmp_path) -> dict[str, Any]:
    names = functions(with_gunicorn(three_node, ASGI), "server-2", RELEASE)
    names.update(SHARE=str(tmp_path), database=lambda: "", release="/opt/videoteca/releases/abc")
    return names


def scope(kind: str = "http", **headers: str) -> dict[str, Any]:
    pairs = [(key.replace("_", "-").encode(), value.encode()) for key, value in headers.items()]
    return {"type": kind, "path": "/", "query_string": b"", "headers": pairs, "client": None}


def ask(serve: Any, asked: dict[str, Any], *body: dict[str, Any]) -> list[dict[str, Any]]:
    """What is sent for a request."""
    said: list[dict[str, Any]] = []
    waiting = [*(body or ({"type": "http.request", "body": b""},))]

    async def receive():
        return waiting.pop(0)

    async def send(message):
        said.append({**message, "left": len(waiting)})

    asyncio.run(serve(asked, receive, send))
    return said


def site(status: int, seen: list[Any]) -> Any:
    async def serve(scope, receive, send):
        seen.append(scope)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"said the site"})

    return serve


@pytest.mark.parametrize(
    ("status", "is_well"), [(200, True), (404, True), (302, True), (500, False)]
)
def test_asgi__says_how_its_node_is_by_what_the_application_answers(asgi, status, is_well):
    seen: list[Any] = []
    serve = asgi["with_health"](site(status, seen))
    start, body = ask(serve, scope(nodriza_health="1", x_real_ip="127.0.0.1", host="a"))
    assert start["status"] == (200 if is_well else 503)
    assert (b"x-release", b"abc") in start["headers"]
    assert seen[0]["path"] == "/healthz"
    assert (b"host", b"videoteca.test") in seen[0]["headers"]
    assert body["body"] == (b"ok\n" if is_well else b"application: 500 said the site\n")


def test_asgi__whose_database_is_away_is_ill(asgi):
    asgi["database"] = lambda: "database: OperationalError"
    start, body = ask(asgi["with_health"](site(200, [])), scope(nodriza_health="1"))
    assert (start["status"], body["body"]) == (503, b"database: OperationalError\n")
    assert b"x-release" not in dict(start["headers"]), "no stranger's business"


@pytest.mark.parametrize(
    ("kind", "proto", "scheme"),
    [
        ("http", "https", "https"),
        ("http", "http", "http"),
        ("websocket", "https", "wss"),
        ("websocket", "http", "ws"),
    ],
)
def test_asgi__is_told_who_the_visitor_is_by_what_nginx_says(asgi, kind, proto, scheme):
    seen: list[Any] = []
    asked = scope(kind, x_real_ip="203.0.113.9", x_forwarded_proto=proto)
    ask(asgi["with_health"](site(200, seen)), asked)
    assert seen[0]["client"] == ("203.0.113.9", 0)
    assert seen[0]["scheme"] == scheme


def test_asgi__that_reads_nothing_has_its_request_read_before_the_answer_ends(asgi):
    parts = [
        {"type": "http.request", "body": b"x", "more_body": more} for more in (True, True, False)
    ]
    start, body = ask(asgi["with_health"](site(403, [])), scope(), *parts)
    assert (start["left"], body["left"]) == (3, 0)


def test_wsgi__that_reads_nothing_has_its_request_read_before_it_is_asked(three_node):
    names = functions(with_gunicorn(three_node), "server-2", RELEASE)
    sent, seen = io.BytesIO(b"x" * 100_000 + b"of the next request"), []

    def serve(environ, start_response):
        seen.append(environ)
        return []

    environ = {"CONTENT_LENGTH": "100000", "wsgi.input": sent, "HTTP_X_REAL_IP": "203.0.113.9"}
    names["with_health"](serve)(environ, None)
    assert sent.tell() == 100_000
    with seen[0]["wsgi.input"] as body:
        assert body.read() == b"x" * 100_000
    assert seen[0]["REMOTE_ADDR"] == "203.0.113.9"


@pytest.mark.parametrize(
    ("sent", "path"), [("/ñ".encode().decode("latin-1"), "/ñ"), ("/%C3%B1?ñ", "/ñ"), ("/a", "/a")]
)
def test_wsgi__is_told_the_path_as_it_came(three_node, sent, path):
    names, seen = functions(with_gunicorn(three_node), "server-2", RELEASE), {}
    body, before = io.BytesIO(), path.encode().decode("latin-1")
    environ = {"wsgi.input": body, "RAW_URI": sent, "PATH_INFO": before if "%" in sent else sent}
    names["with_health"](lambda environ, start: seen.update(environ))(environ, None)
    with seen["wsgi.input"]:
        assert seen["PATH_INFO"].encode("latin-1").decode() == path


def test_release__whose_environment_has_no_uvicorn_does_not_import(asgi, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ImportError):
        asgi["loaded"]()
