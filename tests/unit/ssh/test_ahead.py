"""Connections that are opened before anybody needs them, and as long as nobody goes them."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from nodriza.errors import HostKeyError
from nodriza.inventory import Cluster, Node
from nodriza.ssh import client, hops
from nodriza.ssh.connection import Connections


def test_ways__share_no_configuration(three_node: Cluster) -> None:
    """One for all was read half written by other threads: eight of a thousand nodes failed."""
    ways = [client.Connection(hops.to_node(node, three_node), None) for node in three_node.nodes]
    assert len({id(way.config) for way in ways}) == len(ways)


class Way:
    """A connection that only knows whether it was closed."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.closed = threading.Event()

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Way]:
    """Every connection that was opened; none to server-3, whose key nobody knows."""
    ways: list[Way] = []

    def connect(node: Node, _: Cluster) -> Way:
        if node.name == "server-3":
            raise HostKeyError("unknown host key")
        ways.append(way := Way(node))
        return way

    monkeypatch.setattr("nodriza.ssh.connection.connect", connect)
    return ways


def test_connection_begun_ahead__is_taken_once_and_then_opened_anew(
    three_node: Cluster, opened: list[Way]
) -> None:
    node = three_node.node("server-2")
    with Connections(three_node) as connections:
        connections.begin([node])
        first, second = connections.take(node), connections.take(node)
    assert [first, second] == opened
    assert not any(way.closed.is_set() for way in opened)


def test_connection_that_fails_ahead__fails_whoever_takes_it(
    three_node: Cluster, opened: list[Way]
) -> None:
    with Connections(three_node) as connections:
        connections.begin(three_node.nodes)
        assert connections.take(three_node.builder) in opened
        with pytest.raises(HostKeyError):
            connections.take(three_node.node("server-3"))


def test_connection_that_nobody_takes__is_closed(three_node: Cluster, opened: list[Way]) -> None:
    """As after a mistake in a role: hosts are left at once."""
    with Connections(three_node) as connections:
        connections.begin([three_node.builder])
    began = time.monotonic()
    while not opened:
        assert time.monotonic() < began + 5
    assert opened[0].closed.wait(5)


def test_host_that_never_answers__keeps_nobody_waiting(three_node: Cluster) -> None:
    """A listener that says nothing would be waited for ten seconds."""
    node = three_node.node("server-2")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        here = {"host": "127.0.0.1", "port": silent.getsockname()[1]}
        node = node.model_copy(update={"ssh": node.ssh.model_copy(update=here)})
        began = time.monotonic()
        with Connections(three_node) as connections:
            connections.begin([node])
            guest, _ = silent.accept()
        assert time.monotonic() - began < 2
        guest.close()
