"""The way to a node over two gateways, or a program: every key on it is checked."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
import pytest

from nodriza.errors import ConnectionFailed, HostKeyError
from nodriza.ssh import accept, connection
from tests.ssh_server import Server, servers
from tests.unit.ssh.conftest import NODE_ALONE, knows, load

OTHER = paramiko.ECDSAKey.generate()
SAID = {
    "unknown": "unknown host key",
    "changed": "THE HOST KEY HAS CHANGED",
    "revoked": "THE HOST KEY IS REVOKED",
}
HOPS = ["first gateway", "second gateway", "node"]


@pytest.fixture
def chain() -> Iterator[list[Server]]:
    """Two gateways and a node."""
    with servers(3) as made:
        yield made


def by_inventory(home: Path, chain: list[Server]) -> str:
    """The node's gateway is a node, and that one's gateway is another."""
    first, second, node = (f"host: 127.0.0.1, port: {server.port}" for server in chain)
    return (
        f"  server-1: {{kind: central, private: 198.18.7.11, ssh: {{{first}}}}}\n"
        "  server-2: {kind: child, private: 198.18.7.12, "
        f"ssh: {{{second}, gateway: server-1}}}}\n"
        "  server-3: {kind: child, private: 198.18.7.13, "
        f"ssh: {{{node}, gateway: server-2}}}}\n"
    )


def by_proxy_jump(home: Path, chain: list[Server]) -> str:
    """Both gateways in one line of ssh_config."""
    first, second, node = (server.port for server in chain)
    (home / ".ssh/config").write_text(
        f"Host 198.18.7.13\n HostName 127.0.0.1\n Port {node}\n"
        f" ProxyJump ops@127.0.0.1:{first},127.0.0.1:{second}\n"
    )
    return NODE_ALONE


def by_nested_proxy_jump(home: Path, chain: list[Server]) -> str:
    """The gateway's own line names the first."""
    first, second, node = (server.port for server in chain)
    (home / ".ssh/config").write_text(
        f"Host 198.18.7.13\n HostName 127.0.0.1\n Port {node}\n ProxyJump gate\n"
        f"Host gate\n HostName 127.0.0.1\n Port {second}\n ProxyJump 127.0.0.1:{first}\n"
    )
    return NODE_ALONE


def by_both(home: Path, chain: list[Server]) -> str:
    """The inventory names a gateway, and ssh_config a gateway to that."""
    first, second, node = (server.port for server in chain)
    (home / ".ssh/config").write_text(
        f"Host gate\n HostName 127.0.0.1\n Port {second}\n ProxyJump 127.0.0.1:{first}\n"
    )
    ssh = f"{{host: 127.0.0.1, port: {node}, gateway: ops@gate}}"
    return NODE_ALONE.replace("198.18.7.13", f"198.18.7.13, ssh: {ssh}")


WAYS = [by_inventory, by_proxy_jump, by_nested_proxy_jump]
Written = Callable[[Path, list[Server]], str]


@pytest.mark.parametrize("written", [*WAYS, by_both])
def test_node_behind_two_gateways__is_reached_when_all_are_known(
    home: Path, chain: list[Server], written: Written
) -> None:
    cluster = load(home, written(home, chain))
    knows(home, *(server.line() for server in chain))
    with connection.connect(cluster.node("server-3"), cluster) as way:
        _, out, _ = way.client.exec_command("true")
        assert out.read() == b"done\n"
        assert len(way.way) == 3
    assert [server.seen.count("guest") for server in chain] == [1, 1, 1]


@pytest.mark.parametrize("fault", SAID)
@pytest.mark.parametrize("at", [0, 1, 2], ids=HOPS)
@pytest.mark.parametrize("written", WAYS)
def test_hop_whose_key_is_not_good__ends_the_way_there(
    home: Path, chain: list[Server], written: Written, at: int, fault: str
) -> None:
    cluster = load(home, written(home, chain))
    lines = [server.line() for server in chain]
    if fault == "unknown":
        lines[at] = ""
    elif fault == "changed":
        lines[at] = chain[at].line(OTHER)
    else:
        lines.append(f"@revoked * {lines[at].split(' ', 1)[1]}")
    knows(home, *lines)
    with pytest.raises(HostKeyError, match=SAID[fault]) as caught:
        connection.connect(cluster.node("server-3"), cluster)

    hop = f"127.0.0.1:{chain[at].port})"
    assert (hop in caught.value.what) is (at < 2), "a gateway is named in the words themselves"
    assert "server-3" in caught.value.where or at < 2
    assert chain[at].key.fingerprint in str(caught.value)
    assert not any("log-in" in word for word in chain[at].seen), "nothing was said to it"
    assert all(not server.seen for server in chain[at + 1 :]), "nobody behind it was asked"


@pytest.mark.parametrize("written", WAYS)
def test_accept__goes_hop_by_hop_and_pins_each_under_its_own_name(
    home: Path, chain: list[Server], written: Written
) -> None:
    cluster = load(home, written(home, chain))
    for server in chain:
        with pytest.raises(HostKeyError, match="unknown") as caught:
            connection.connect(cluster.node("server-3"), cluster)
        _, _, word = caught.value.do.rpartition("fab hostkeys.accept ")
        (hop,) = accept.to_know(cluster, word)
        accept.accept(hop, fingerprint=server.key.fingerprint, ask=None)
        pinned = (home / "home.known_hosts").read_text().splitlines()
        assert f"{pinned[-1]}\n" == server.line()
    connection.connect(cluster.node("server-3"), cluster).close()


@pytest.mark.parametrize("fault", ["unknown", "changed", "revoked"])
def test_gateway_whose_key_is_not_good__shows_no_key_of_those_behind_it(
    home: Path, chain: list[Server], fault: str
) -> None:
    """hostkeys.accept goes no further than other commands."""
    cluster = load(home, by_proxy_jump(home, chain))
    bad = {"unknown": "", "changed": chain[1].line(OTHER), "revoked": chain[1].line()}[fault]
    more = f"@revoked {chain[1].line()}" if fault == "revoked" else ""
    knows(home, chain[0].line(), bad, more)
    (hop,) = accept.to_know(cluster, "server-3")
    with pytest.raises(HostKeyError, match=SAID[fault]):
        accept.accept(hop, ask=lambda _: True)
    assert not chain[2].seen


def test_proxy_command__is_run_by_a_shell_and_the_key_is_checked_at_its_end(
    home: Path, chain: list[Server]
) -> None:
    node = chain[2]
    copy = home / "copy.py"
    copy.write_text(COPY)
    (home / ".ssh/config").write_text(
        f"Host 198.18.7.13\n HostName 127.0.0.1\n Port {node.port}\n"
        f" ProxyCommand {sys.executable} {copy} %h $((%p + 0)) 2>/dev/null\n"
    )
    cluster = load(home, NODE_ALONE)
    with pytest.raises(HostKeyError, match="unknown"):
        connection.connect(cluster.node("server-3"), cluster)
    knows(home, node.line())
    with connection.connect(cluster.node("server-3"), cluster) as way:
        _, out, _ = way.client.exec_command("true")
        assert out.read() == b"done\n"


COPY = """
import socket, sys, threading
there = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def back():
    while data := there.recv(65536):
        sys.stdout.buffer.write(data); sys.stdout.buffer.flush()
threading.Thread(target=back, daemon=True).start()
while data := sys.stdin.buffer.raw.read(65536):
    there.sendall(data)
"""


def test_proxy_command_that_fails__is_told_with_its_own_words(home: Path) -> None:
    (home / ".ssh/config").write_text(
        "Host *\n ProxyCommand sh -c 'echo no such gate >&2; exit 3'\n"
    )
    cluster = load(home, NODE_ALONE)
    with pytest.raises(ConnectionFailed, match="no such gate") as caught:
        connection.connect(cluster.node("server-3"), cluster)
    assert "echo no such gate" in caught.value.do


@pytest.mark.parametrize(("least", "let_in"), [(2048, True), (3072, False)])
def test_own_key_that_is_too_short__is_not_offered(home: Path, least: int, let_in: bool) -> None:
    """RequiredRSASize of ssh_config; the operator's key has 2048 bits."""
    with servers(1) as (node,):
        knows(home, node.line())
        (home / ".ssh/config").write_text(
            f"Host *\n HostName 127.0.0.1\n Port {node.port}\n RequiredRSASize {least}\n"
        )
        cluster = load(home, NODE_ALONE)
        if let_in:
            connection.connect(cluster.node("server-3"), cluster)
        else:
            with pytest.raises(ConnectionFailed, match="shorter than RequiredRSASize"):
                connection.connect(cluster.node("server-3"), cluster)
        assert ("log-in of root" in node.seen) is let_in
