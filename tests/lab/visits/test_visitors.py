"""Visitors get what the application says, and nobody takes that away from them."""

from __future__ import annotations

import re
import socket
import struct
import time

import pytest

from tests.lab.project import Project, wait_for
from tests.lab.visits.asking import Client, opened, receive, request
from tests.lab.visits.case import Case
from tests.lab.visits.cases import CASES
from tests.lab.visits.conftest import LIMITS


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_visitor__gets_what_the_application_says(client: Client, case: Case, server: str) -> None:
    if server == "asgi" and case.name == "the same as it is":
        pytest.skip("uvicorn refuses a path with bytes that are no ASCII (RFC 9112), with 400")
    assert case.wrong(client.ask(case.sent, case.method)) == []


def visits(client: Client, number: int = 30) -> list[tuple[int, bool]]:
    """So many visits one after the other: status, and whether it took less than 2 s."""
    found = []
    for _ in range(number):
        began = time.monotonic()
        status = client.ask(request("/visits/body?bytes=10")).status
        found.append((status, time.monotonic() - began < 2))
    return found


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


def journal(project: Project, unit: str, since: str) -> list[str]:
    """What the application server has said since then."""
    said = project.on("server-2", f"journalctl -q -u {unit} -o cat --no-pager --since '{since}'")
    return said.splitlines()


def test_visitors_who_leave__leave_no_line_in_the_journal(
    project: Project, unit: str, client: Client
) -> None:
    # The deploy's workers may still come.
    wait_for("silence", 120, lambda: not journal(project, unit, "8 seconds ago"), every=1)
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
    assert journal(project, unit, since) == []


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
