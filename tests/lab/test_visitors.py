"""Visitors get what the application says, and nobody takes that away from them."""

from __future__ import annotations

import contextlib
import datetime
import json
import re
import shutil
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.project import Project, wait_for
from tests.lab.visitor import taken_over
from tests.lab.visits.asking import Client, receive, request
from tests.lab.visits.case import Case
from tests.lab.visits.cases import CASES
from tests.lab.visits.files import HASHED, KEPT, RUN, TYPES
from tests.unit.roles.test_tls import DAY, make_pair

HERE = Path(__file__).parent
ENDINGS = sorted({*TYPES, *RUN, *KEPT})
STATIC = (
    *(f"file.{ending}" for ending in ENDINGS),
    *("plain.txt", "site.css", HASHED, "a/b/site.css", f"a/b/{HASHED}"),
    *("LICENSE", "LICENSE.0123456789ab", "informe.20240131.pdf", "informe.202401311230.pdf"),
    *("main.0123abcd.js", "main.js"),
)
"""For collectstatic to find."""
# What the application would have put there, as its own user does.
FILES = f"""
set -e
put() {{ mkdir -p "$(dirname "$1")"; echo ok >"$1"; }}
cd /srv/videoteca
for ending in {" ".join(ENDINGS)}; do put media/file.$ending; done
put media/{HASHED}
put media/site.css
put "media/año nuevo.txt"
mkdir -p media/folder
head -c 200000 /dev/zero >media/film.mp4
ln -sfn file.txt media/own-link.txt
ln -sfn /etc media/etc
ln -sfn /var/log/nginx/access.log media/log.txt
chown -hR videoteca: media
"""


WITH_VISITS = "urlpatterns.append(path('visits/', include('videos.visits')))"


def with_visits(project: Project) -> Project:
    """The example with the views of these tests in it."""
    source = project.folder / "videoteca"
    shutil.copy(HERE / "visits" / "views.py", source / "videos" / "visits.py")
    for name in STATIC:
        file = source / "videos" / "static" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("ok\n")
    urls = source / "videoteca" / "urls.py"
    urls.write_text(f"{urls.read_text()}\nfrom django.urls import include\n{WITH_VISITS}\n")
    return project


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, times: dict[str, float]
) -> Iterator[Project]:
    """A central node and one child."""
    folder = tmp_path_factory.mktemp("visitors")
    project = with_visits(Project.make(folder, "labvisit", 215, children=1, videos=0))
    project.times = times
    for key in ("celery", "smoke"):
        del project.data["app"][key]
    project.data["app"].update(max_upload_mb=60, uploads=["/upload/", "/visits/upload/"])
    project.data["limits"] = LIMITS
    project.write()
    with project.up("provision", "deploy"):
        wait_for("answers of every worker", 120, lambda: taken_over(project.cluster, project.on))
        project.on("server-1", FILES)
        yield project


LIMITS = {"connections": 40, "requests": 6}


@pytest.fixture
def client(project: Project) -> Iterator[Client]:
    """A visitor's way to the child."""
    made = Client(project.cluster.node("server-2").web_address, project.netns)
    yield made
    made.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_visitor__gets_what_the_application_says(client: Client, case: Case) -> None:
    assert case.wrong(client.ask(case.sent, case.method)) == []


OTHERS = ("198.18.216.201", "198.18.216.202")
"""Addresses of two more visitors in the lab's public network, beside the controller's."""


@pytest.fixture(scope="module")
def addresses(project: Project) -> None:
    """Visitors of several addresses."""
    for address in OTHERS:
        subprocess.run(
            ["ip", "-n", project.netns, "address", "replace", f"{address}/24", "dev", "br-public"],
            check=True,
        )


@pytest.fixture
def greedy(client: Client, addresses: None) -> Iterator[Client]:
    """Somebody who means no good, from an address of his own."""
    made = Client(client.address, client.netns, OTHERS[0])
    yield made
    made.close()


@pytest.fixture
def honest(client: Client, addresses: None) -> Client:
    """Everybody else."""
    return Client(client.address, client.netns, OTHERS[1])


def visits(client: Client, number: int = 30) -> list[tuple[int, bool]]:
    """So many visits one after the other: status, and whether it took less than 2 s."""
    found = []
    for _ in range(number):
        began = time.monotonic()
        status = client.ask(request("/visits/body?bytes=10")).status
        found.append((status, time.monotonic() - began < 2))
    return found


def opened(client: Client, number: int, first: bytes) -> int:
    """How many connections are open a moment after each has sent its first bytes."""
    for _ in range(number):
        with contextlib.suppress(OSError):
            client.open(timeout=5).sendall(first)
    time.sleep(0.5)
    return sum(map(is_open, client.sockets))


def is_open(sock: socket.socket) -> bool:
    try:
        sock.setblocking(False)
        return sock.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


WELL = [(200, True)] * 30
SLOW_BODY = request("/visits/upload/echo", "POST", headers={"Content-Length": "50000000"})


@pytest.mark.parametrize(
    "first",
    [b"", b"GET /visits/body HTTP/1.1\r\nHost: videoteca.test\r\nX-Half: "],
    ids=["nothing", "half a request"],
)
def test_connections_of_one_address__are_counted_whatever_they_send(
    greedy: Client, honest: Client, first: bytes
) -> None:
    assert opened(greedy, 10 * LIMITS["connections"], first) <= LIMITS["connections"]
    assert visits(honest) == WELL
    greedy.close()
    wait_for("an end of it", 30, lambda: greedy.ask(request("/visits/body")).status == 200)


def test_requests_of_one_address__are_counted_and_told_so(greedy: Client, honest: Client) -> None:
    assert opened(greedy, LIMITS["requests"], SLOW_BODY) == LIMITS["requests"]
    answer = greedy.ask(request("/visits/body"))
    assert (answer.status, answer.all("Retry-After")) == (429, ["5"])
    assert b"too many requests at once from your address" in answer.body
    # Files are no requests for the application.
    assert greedy.ask(request("/static/plain.txt")).status == 200
    assert visits(honest) == WELL


def test_nginx__has_the_files_that_its_connections_need(project: Project) -> None:
    said = project.on("server-2", "cat /proc/$(pgrep -of 'nginx: worker')/limits")
    found = re.search(r"Max open files +(\d+)", said)
    assert found is not None
    conf = project.on("server-2", "cat /etc/nginx/nginx.conf")
    places = re.search(r"worker_connections (\d+);", conf)
    assert places is not None
    assert int(found[1]) >= 2 * int(places[1])
    log = project.on(
        "server-2", "grep -E '\\[(alert|emerg)\\]' /var/log/nginx/error.log", check=False
    )
    assert log == ""


def test_slow_readers__cost_no_worker(project: Project, greedy: Client, honest: Client) -> None:
    """More of them than there are threads, each with more than nginx keeps in memory."""
    for _ in range(LIMITS["requests"]):
        sock = greedy.open()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(request("/visits/body?bytes=20000000"))
    time.sleep(1)
    assert visits(honest) == WELL


def test_slow_requests_of_one_address__leave_the_others_their_turn(
    greedy: Client, honest: Client
) -> None:
    """Each takes the threads of a worker for a second; above the limit they are refused."""
    opened(greedy, 40, request("/visits/wait?seconds=1"))
    time.sleep(0.1)
    statuses = {status for status, _ in visits(honest, 5)}
    assert statuses == {200}


def journal(project: Project, since: str) -> list[str]:
    """What uWSGI has said since then."""
    said = project.on("server-2", f"journalctl -q -u uwsgi -o cat --no-pager --since '{since}'")
    return said.splitlines()


def test_visitors_who_leave__leave_no_line_in_the_journal(
    project: Project, client: Client
) -> None:
    # The deploy's workers may still come.
    wait_for("silence", 120, lambda: not journal(project, "8 seconds ago"), every=1)
    since = project.on("server-2", "sleep 1; date '+%F %T'").strip()
    for path in (
        "/visits/wait?seconds=0.5",
        "/visits/body?bytes=30000000",
        "/visits/stream?parts=50&pause=0.02",
        "/visits/stream?parts=50&times=20000&unbuffered",
        "/visits/headers?bytes=60000",
    ):
        for pause in (0.01, 0.2):
            sock = client.open()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.sendall(request(path))
            time.sleep(pause)
            sock.close()
            time.sleep(0.4)
    sock = client.open()
    sock.sendall(SLOW_BODY + b"x" * 100_000)
    sock.close()
    time.sleep(2)
    assert journal(project, since) == []


def test_endless_answer__ends_when_its_visitor_leaves(client: Client) -> None:
    """There are four threads on this child."""
    for _ in range(LIMITS["requests"]):
        sock = client.open()
        sock.sendall(request("/visits/stream?parts=100000&pause=0.05&unbuffered"))
        receive_head(sock)
        sock.close()
    time.sleep(2)
    assert visits(client) == WELL


def receive_head(sock: socket.socket) -> None:
    """The first bytes of an answer."""
    assert sock.recv(10).startswith(b"HTTP/1.1 2")


def test_stream__comes_part_by_part_when_the_application_says_so(client: Client) -> None:
    sock = client.open()
    began = time.monotonic()
    sock.sendall(request("/visits/stream?parts=4&pause=1&unbuffered"))
    head = b""
    while b"0\n" not in head.partition(b"\r\n\r\n")[2]:
        head += sock.recv(1000)
    assert time.monotonic() - began < 1


def test_slow_reader_of_a_stream__gets_it_whole(client: Client) -> None:
    """Eight seconds without reading: longer than uWSGI's own patience."""
    sock = client.open()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.sendall(request("/visits/stream?parts=600&times=10000&unbuffered"))
    time.sleep(8)
    assert len(receive(sock).body) == (10 * 2 + 90 * 3 + 500 * 4) * 10_000


def test_connection__serves_one_request_after_the_other(client: Client) -> None:
    sock = client.open()
    keep = {"Connection": "keep-alive"}
    for path, size in (("/visits/body?bytes=7", 7), ("/static/plain.txt", 3)) * 3:
        sock.sendall(request(path, headers=keep))
        answer = receive(sock)
        assert (answer.status, len(answer.body)) == (200, size)
    for status in (204, 304):
        sock.sendall(request(f"/visits/body?status={status}", headers=keep))
        assert receive(sock).status == status
    sock.sendall(
        request("/visits/body?bytes=5&status=403", "POST", headers=keep, body=b"x" * 100_000)
    )
    assert receive(sock).status == 403
    sock.sendall(request("/visits/body?bytes=7"))
    assert receive(sock).status == 200


def test_two_requests_at_once__are_answered_in_turn(client: Client) -> None:
    sock = client.open()
    keep = {"Connection": "keep-alive"}
    sock.sendall(request("/visits/body?bytes=7", headers=keep) + request("/visits/body?bytes=9"))
    response = b""
    while part := sock.recv(65536):
        response += part
    assert response.count(b"HTTP/1.1 200 OK") == 2
    assert response.endswith(b"\r\n\r\n" + b"x" * 9)


@pytest.fixture(scope="module")
def proxied(project: Project, addresses: None) -> Project:
    """The same site with two more names, and a proxy before it."""
    project.data.update(aliases=["www.videoteca.test", "videoteca.example"], proxies=[PROXY])
    project.write()
    project.fab("provision").well()
    return project


PROXY = OTHERS[1]
VISITOR = "203.0.113.9"


@pytest.fixture
def proxy(proxied: Project, client: Client) -> Iterator[Client]:
    """From the proxy's address."""
    made = Client(client.address, client.netns, PROXY)
    yield made
    made.close()


@pytest.fixture
def stranger(proxied: Project, client: Client) -> Iterator[Client]:
    """From the address of somebody who is no proxy."""
    made = Client(client.address, client.netns, OTHERS[0])
    yield made
    made.close()


CLAIMED = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "666",
    "X-Forwarded-Ssl": "on",
    "Forwarded": "for=6.6.6.6;proto=https;host=evil.example",
    "X-Real-IP": "6.6.6.6",
    "True-Client-IP": "6.6.6.6",
    "Cf-Connecting-Ip": "6.6.6.6",
    "X-Remote-User": "root",
    "Front-End-Https": "on",
    "Https": "on",
    "X_Forwarded_For": "6.6.6.6",
    "Proxy": "http://evil.example",
}


def seen(client: Client, headers: dict[str, str], host: str = "videoteca.test") -> dict[str, Any]:
    """What the application knows of a request."""
    answer = client.ask(request("/visits/seen", host=host, headers=headers))
    assert answer.status == 200, answer
    found: dict[str, Any] = json.loads(answer.body)
    return found


def test_claims_of_a_visitor__do_not_reach_the_application(stranger: Client) -> None:
    found = seen(stranger, CLAIMED)
    assert found["address"] == OTHERS[0]
    assert (found["secure"], found["url"]) == (False, "http://videoteca.test/")
    known = {key: value for key, value in found["headers"].items() if value}
    assert known == {
        "HTTP_HOST": "videoteca.test",
        "HTTP_CONNECTION": "close",
        "HTTP_X_FORWARDED_FOR": OTHERS[0],
        "HTTP_X_REAL_IP": OTHERS[0],
        "HTTP_X_FORWARDED_PROTO": "http",
        "HTTP_HTTPS": "on",  # no more than a header of that name
    }


@pytest.mark.parametrize(
    "path",
    [VISITOR, f"6.6.6.6, {VISITOR}", f"6.6.6.6,{VISITOR}, {PROXY}", f"{VISITOR}:4711"],
)
def test_proxy__is_believed_when_it_says_who_the_visitor_is(proxy: Client, path: str) -> None:
    found = seen(proxy, {"X-Forwarded-For": path, "X-Forwarded-Proto": "https"})
    assert found["address"] == VISITOR
    assert found["headers"]["HTTP_X_FORWARDED_FOR"] == VISITOR
    assert (found["secure"], found["scheme"]) == (True, "https")
    assert found["url"] == "https://videoteca.test/"


def test_proxy__passes_on_what_only_it_can_know(proxy: Client) -> None:
    found = seen(proxy, {"X-Forwarded-For": VISITOR, "CF-Connecting-IP": VISITOR})
    assert found["headers"]["HTTP_CF_CONNECTING_IP"] == VISITOR
    assert not found["secure"]


def test_requests__are_counted_by_the_visitor_behind_the_proxy(proxy: Client) -> None:
    behind = {"X-Forwarded-For": VISITOR}
    slow = request("/visits/upload/echo", "POST", headers={"Content-Length": "50000000", **behind})
    opened(proxy, LIMITS["requests"], slow)
    assert proxy.ask(request("/visits/body", headers=behind)).status == 429
    other = request("/visits/body", headers={"X-Forwarded-For": "203.0.113.10"})
    assert proxy.ask(other).status == 200


def test_connections_of_a_proxy__are_not_counted(proxy: Client) -> None:
    assert opened(proxy, 3 * LIMITS["connections"], b"") == 3 * LIMITS["connections"]


@pytest.mark.parametrize(
    "alias", ["www.videoteca.test", "videoteca.example", "WWW.Videoteca.Test."]
)
def test_alias__leads_to_the_domain(proxied: Project, stranger: Client, alias: str) -> None:
    answer = stranger.ask(request("/a%20b/?c=d", host=alias))
    assert (answer.status, answer.all("Location")) == (301, ["http://videoteca.test/a%20b/?c=d"])


def test_alias__leads_to_https_who_came_so(proxy: Client) -> None:
    by_tls = {"X-Forwarded-Proto": "https"}
    answer = proxy.ask(request("/a", host="www.videoteca.test", headers=by_tls))
    assert answer.all("Location") == ["https://videoteca.test/a"]


@pytest.fixture(scope="module")
def secure(proxied: Project) -> Project:
    """TLS at the child too, with a certificate for all of its names."""
    proxied.data["tls"] = {"mode": "files", "certificate": "site.pem", "hsts": 60}
    proxied.write()
    now = datetime.datetime.now(datetime.timezone.utc)
    most = ["videoteca.test", "www.videoteca.test"]
    for names in (most, [*most, "videoteca.example"]):
        certificate, key = make_pair(names, begins=now - DAY, ends=now + DAY)
        proxied.inventory.with_name("site.pem").write_text(certificate)
        file = proxied.folder / "key.pem"
        file.write_text(key)
        with file.open() as stdin:
            proxied.fab("secrets.set", "tls_key", stdin=stdin).well()
        done = proxied.fab("provision")
        if len(names) == 2:
            assert "is not for videoteca.example" in done.said
    done.well()
    return proxied


def test_proxy_that_has_ended_tls__is_not_sent_round_in_circles(
    secure: Project, proxy: Client, stranger: Client
) -> None:
    by_tls = {"X-Forwarded-Proto": "https", "X-Forwarded-For": VISITOR}
    assert seen(proxy, by_tls)["secure"]
    answer = proxy.ask(request("/visits/body", headers=by_tls))
    assert answer.all("Strict-Transport-Security") == ["max-age=60"]
    for client, headers in (
        (proxy, {"X-Forwarded-Proto": "http"}),
        (proxy, {}),
        (stranger, by_tls),
    ):
        answer = client.ask(request("/visits/body?a", headers=headers))
        assert answer.status == 301
        assert answer.all("Location") == ["https://videoteca.test/visits/body?a"]
        assert answer.all("Strict-Transport-Security") == []


def test_load_balancer__asks_how_a_child_is_without_tls(secure: Project, proxy: Client) -> None:
    answer = proxy.ask(request("/healthz"))
    assert (answer.status, answer.body) == (200, b"ok\n")


@pytest.mark.parametrize("alias", ["www.videoteca.test", "videoteca.example"])
def test_alias__leads_to_the_domain_over_https(
    secure: Project, client: Client, alias: str
) -> None:
    context = ssl.create_default_context(cafile=secure.inventory.with_name("site.pem"))
    client.port = 443
    with context.wrap_socket(client.open(), server_hostname=alias) as sock:
        sock.sendall(request("/a", host=alias))
        answer = receive(sock)
    assert (answer.status, answer.all("Location")) == (301, ["https://videoteca.test/a"])


def test_smoke__follows_the_other_names(secure: Project) -> None:
    said = secure.fab("smoke").said
    assert "ok   every child sends visitors of the other names to the site's own" in said


def test_second_provision__changes_nothing(secure: Project) -> None:
    assert secure.fab("provision", "--json").well().changed() == {}
