"""Many nodes behind one gateway: one log-in to it, and what happens when it fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import paramiko
import pytest
from paramiko.common import MSG_CHANNEL_CLOSE, MSG_CHANNEL_DATA, MSG_GLOBAL_REQUEST

from nodriza.errors import ConnectionFailed, NodrizaError
from nodriza.inventory import Cluster, Node
from nodriza.ssh import client, connection, hops
from tests.ssh_server import Server, servers
from tests.unit.ssh.conftest import NODE_ALONE, knows, load


@pytest.fixture
def many(home: Path) -> Iterator[tuple[Server, list[Server], Cluster]]:
    """A gateway, twenty nodes, and their cluster; all are known."""
    with servers(1) as (gateway,), servers(20) as nodes:
        lines = ["  server-1: {kind: central, private: 198.18.7.11}\n"]
        for number, server in enumerate(nodes, 2):
            ssh = f"host: 127.0.0.1, port: {server.port}, gateway: ops@127.0.0.1:{gateway.port}"
            address = f"198.18.7.{number + 20}"
            lines.append(
                f"  server-{number}: {{kind: child, private: {address}, ssh: {{{ssh}}}}}\n"
            )
        knows(home, gateway.line(), *(server.line() for server in nodes))
        yield gateway, nodes, load(home, "".join(lines))


def outcomes(cluster: Cluster) -> list[client.Connection | NodrizaError]:
    """What connecting to all children at once gives."""

    def one(node: Node) -> client.Connection | NodrizaError:
        try:
            return connection.connect(node, cluster)
        except NodrizaError as error:
            return error

    with ThreadPoolExecutor(20) as pool:
        return list(pool.map(one, cluster.nodes[1:]))


Many = tuple[Server, list[Server], Cluster]


def test_gateway__sees_one_log_in_for_all_nodes_behind_it(many: Many) -> None:
    gateway, nodes, cluster = many
    found = outcomes(cluster)
    assert all(isinstance(each, client.Connection) for each in found)
    assert gateway.seen.count("guest") == 1
    assert sum(word.startswith("channel") for word in gateway.seen) == len(nodes)


def test_channel__has_nothing_sent_on_it_after_its_end(many: Many) -> None:
    """Data for a channel that is gone makes sshd hang up on all nodes behind it."""
    _, nodes, cluster = many
    hop = hops.to_node(cluster.nodes[1], cluster)
    assert hop.before is not None
    transport = connection.gateways.open(hop.before).transport
    place = ("127.0.0.1", nodes[0].port)
    channel = transport.open_channel("direct-tcpip", place, ("", 0))
    sent: list[int] = []
    really = transport._send_user_message

    def send(message: paramiko.Message) -> None:
        (kind, *_) = message.asbytes()
        if kind == MSG_CHANNEL_DATA:
            time.sleep(0.3)
        sent.append(kind)
        really(message)

    transport._send_user_message = send
    sender = threading.Thread(target=channel.send, args=(b"SSH-2.0-x\r\n",))
    sender.start()
    time.sleep(0.1)
    channel.close()
    sender.join()
    assert sent.index(MSG_CHANNEL_DATA) < sent.index(MSG_CHANNEL_CLOSE)


def test_gateway_that_turns_guests_away__is_asked_again_after_a_pause(many: Many) -> None:
    gateway, _, cluster = many
    gateway.turns_away = 3
    assert all(isinstance(each, client.Connection) for each in outcomes(cluster))
    assert gateway.seen.count("guest") == 4


def test_gateway_that_always_turns_guests_away__is_named_and_not_asked_for_each_node(
    many: Many,
) -> None:
    gateway, nodes, cluster = many
    gateway.turns_away = 1000
    found = outcomes(cluster)
    for error, node in zip(found, cluster.nodes[1:], strict=True):
        assert isinstance(error, ConnectionFailed)
        place = f"127.0.0.1:{gateway.port}"
        assert error.where.startswith(f"{node.name} (")
        assert error.what.startswith(f"its gateway {place} (ops@{place}): ")
        assert "closes it without a greeting, 5 times" in error.what
    assert gateway.seen.count("guest") == 5
    assert not any(node.seen for node in nodes)


def test_gateway_that_dies__fails_every_node_behind_it_in_words(many: Many) -> None:
    gateway, _, cluster = many
    ways = [way for way in outcomes(cluster) if isinstance(way, client.Connection)]
    gateway.close()
    until = time.monotonic() + 5
    for way in ways:
        while not way.broken():
            assert time.monotonic() < until
            time.sleep(0.01)
        assert f"the line to the gateway 127.0.0.1:{gateway.port} broke" in way.broken()


def test_gateway_that_freezes__is_missed(many: Many, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its kernel still answers; sshd does not."""
    monkeypatch.setattr(client, "SILENCE", 1)
    monkeypatch.setattr(hops, "CONNECT_TIMEOUT", 4)
    gateway, _, cluster = many
    (way, *_) = outcomes(cluster)
    assert isinstance(way, client.Connection)
    for guest in gateway.guests:
        guest._handler_table[MSG_GLOBAL_REQUEST] = lambda _: None
    until = time.monotonic() + 9
    while not way.broken():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_gateway_that_was_mended__is_used_again(many: Many) -> None:
    gateway, _, cluster = many
    assert isinstance(outcomes(cluster)[0], client.Connection)
    for guest in gateway.guests:
        guest.close()
    time.sleep(0.3)
    assert all(isinstance(each, client.Connection) for each in outcomes(cluster))
    assert gateway.seen.count("guest") == 2


def test_gateway_that_passes_nobody_on__is_told_with_what_to_look_at(many: Many) -> None:
    gateway, _, cluster = many
    gateway.passes_on = False
    (error, *_) = outcomes(cluster)
    assert isinstance(error, ConnectionFailed)
    assert "passes nobody on" in error.what
    assert "AllowTcpForwarding" in error.do


def test_node_that_is_down_behind_a_gateway__is_told_as_the_nodes_failure(many: Many) -> None:
    gateway, nodes, cluster = many
    nodes[0].close()
    error, *others = outcomes(cluster)
    assert isinstance(error, ConnectionFailed)
    assert error.where.startswith("server-2 (")
    assert f"127.0.0.1:{gateway.port}) can't connect to 127.0.0.1:{nodes[0].port}" in error.what
    assert all(isinstance(each, client.Connection) for each in others)


def test_host_that_turns_guests_away__is_asked_again_without_a_gateway_too(home: Path) -> None:
    with servers(1, turns_away=2) as (node,):
        knows(home, node.line())
        ssh = f"host: 127.0.0.1, port: {node.port}"
        cluster = load(home, NODE_ALONE.replace("198.18.7.13", f"198.18.7.13, ssh: {{{ssh}}}"))
        connection.connect(cluster.node("server-3"), cluster).close()
        assert node.seen.count("guest") == 3
