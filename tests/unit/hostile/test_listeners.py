"""Whoever listens where a host should: before any key is known, and in nobody's way."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import paramiko
import pytest

from nodriza.errors import ConnectionFailed
from nodriza.inventory import Cluster
from nodriza.ssh import connection, hops
from nodriza.ssh.wire import Transport
from tests.memory import Peak

MEGABYTE = 2**20
MOVES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069]")
Talk = Callable[[socket.socket], None]


def forever(data: bytes) -> Talk:
    def talk(guest: socket.socket) -> None:
        while True:
            guest.sendall(data)

    return talk


def once(*said: bytes) -> Talk:
    def talk(guest: socket.socket) -> None:
        for data in said:
            guest.sendall(data)
        time.sleep(30)

    return talk


def hang_up_after(said: bytes) -> Talk:
    def talk(guest: socket.socket) -> None:
        guest.sendall(said)
        guest.shutdown(socket.SHUT_WR)
        guest.recv(1000)  # or what was not read would be a reset, which may overtake it

    return talk


def drip(guest: socket.socket) -> None:
    while True:
        guest.sendall(b"a")
        time.sleep(0.1)


def packet_without_end(guest: socket.socket) -> None:
    guest.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" + struct.pack(">IB", 2**31 + 4, 4))
    forever(b"x" * 65536)(guest)


def packets_without_end(guest: socket.socket) -> None:
    """SSH_MSG_IGNORE (RFC 4253, 11.2)."""
    body = struct.pack(">BBI", 6, 2, 32000) + b"x" * 32000 + b"p" * 6
    body += b"p" * (-(len(body) + 4) % 8)
    guest.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    forever(struct.pack(">I", len(body)) + body)(guest)


LISTENERS: dict[str, Talk] = {
    "escapes": once(b"\x1b]0;owned\x07\x1b[2J\x9b31m\xe2\x80\xae" * 3 + b"\r\n" * 101),
    "no SSH": once(b"HTTP/1.1 400 Bad Request\r\n\x1b[1mserver-1: all is well\r\n" * 60),
    "half a banner": once(b"SSH-2.0-Open\x1b[5m"),
    "a banner and silence": once(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "silence": once(),
    "drips": drip,
    "a line without end": forever(b"x" * 65536),
    "lines without end": forever(b"\x1b[31mx\r\n" * 5000),
    "a packet without end": packet_without_end,
    "packets without end": packets_without_end,
}


@contextlib.contextmanager
def listening(talk: Talk) -> Iterator[tuple[int, list[threading.Event]]]:
    """The port, and for each guest whether it has hung up."""
    left: list[threading.Event] = []

    def serve() -> None:
        while True:
            try:
                guest, _ = server.accept()
            except OSError:
                return
            left.append(threading.Event())
            threading.Thread(target=meet, args=(guest, left[-1]), daemon=True).start()

    def meet(guest: socket.socket, gone: threading.Event) -> None:
        with guest, contextlib.suppress(OSError):
            talk(guest)
        gone.set()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1], left


@pytest.mark.parametrize("listener", LISTENERS)
@pytest.mark.parametrize("act", [connection.open_connection, connection.fetch_key])
def test_listener__is_one_nodes_failure_in_words_within_seconds_and_few_megabytes(
    three_node: Cluster, listener: str, act: Callable[[hops.Hop], object]
) -> None:
    peak = Peak()
    began = time.monotonic()
    with listening(LISTENERS[listener]) as (port, left):
        hop = hops.to_node(three_node.node("server-2"), three_node)
        hop = dataclasses.replace(hop, host="127.0.0.1", port=port, timeout=2)
        with pytest.raises(ConnectionFailed) as failed:
            act(hop)
        assert time.monotonic() - began < 15
        said = str(failed.value)
        assert not MOVES.search(said)
        assert len(said) < 2000
        # Nothing of what was sent stands on a line of its own.
        labels = ("127.0.0.1", "[127.0.0.1", "server-2", "  kept: ", "  next: ")
        assert all(line.startswith(labels) for line in said.splitlines())
        assert peak.grown < 32 * MEGABYTE
        if listener in WORDS:
            assert WORDS[listener] in said
        if listener == "drips":
            assert left[0].wait(5), "we hung up"


WORDS = {
    "a line without end": "no SSH: it sends and sends",
    "a packet without end": "a packet of 2147483",
    "packets without end": "more than 1 MB before the log-in",
}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no SSH: it says HTTP/1.1 400 Bad Request"),
        (b"220 mail.example.org", "no SSH: it says 220 mail.example.org"),
        (b"\xff\xfe\x9b31m\r\n", "no SSH: it says \ufffd\ufffd"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "no SSH: it says F"),
        (b"\x00\x00\x00\n", "no SSH: it says nothing that can be read"),
    ],
    ids=["HTTP", "half a line", "no UTF-8", "TLS", "zeros"],
)
def test_listener_that_is_no_sshd__is_asked_once(
    three_node: Cluster, said: bytes, words: str
) -> None:
    """It will be none in a moment. An sshd that is full hangs up as well, and is tried again."""
    with listening(hang_up_after(said)) as (port, left):
        hop = hops.to_node(three_node.node("server-2"), three_node)
        hop = dataclasses.replace(hop, host="127.0.0.1", port=port)
        with pytest.raises(ConnectionFailed) as failed:
            connection.open_connection(hop)
        assert len(left) == 1
        assert words in failed.value.what
        assert f"port {port}" in failed.value.do


class Server(paramiko.ServerInterface):
    """Lets everybody in."""

    def check_auth_none(self, username: str) -> int:
        return paramiko.AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED


def test_host__that_sends_more_than_it_was_allowed_to_is_hung_up_on() -> None:
    """A window is a promise; paramiko's client does not look whether it is kept."""
    ours, theirs = socket.socketpair()
    server = paramiko.Transport(theirs)
    server.add_server_key(paramiko.ECDSAKey.generate())
    threading.Thread(target=server.start_server, kwargs={"server": Server()}, daemon=True).start()
    client = Transport(ours)
    with contextlib.closing(client), contextlib.closing(server):
        client.start_client(timeout=10)
        client.auth_none("root")
        kept = client.open_session(timeout=10)
        channel = server.accept(10)
        channel.out_window_size = 2**40
        peak, until = Peak(), time.monotonic() + 20
        with contextlib.suppress(OSError, EOFError):
            while client.is_active() and time.monotonic() < until:
                channel.sendall(b"x" * 65536)
        assert not client.is_active()
        assert kept.closed
        assert "its window" in str(client.get_exception())
        assert peak.grown < 64 * MEGABYTE
