"""The ways to nodes: as long as nobody goes them, and over real SSH servers, hop by hop."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import paramiko
import pytest
from paramiko.common import MSG_CHANNEL_CLOSE, MSG_CHANNEL_DATA, MSG_GLOBAL_REQUEST

from nodriza.errors import ConnectionFailed, HostKeyError, NodrizaError
from nodriza.inventory import Cluster, Node, load_cluster
from nodriza.ssh import accept, client, connection, hops, ssh_config_files
from nodriza.ssh.connection import Connections, Gateways
from tests.ssh_server import Server, servers

OTHER = paramiko.ECDSAKey.generate()
SAID = {
    "unknown": "unknown host key",
    "changed": "THE HOST KEY HAS CHANGED",
    "revoked": "THE HOST KEY IS REVOKED",
}
HOPS = ["first gateway", "second gateway", "node"]


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
        assert connections.take(three_node.central) in opened
        with pytest.raises(HostKeyError):
            connections.take(three_node.node("server-3"))


def test_connection_that_nobody_takes__is_closed(three_node: Cluster, opened: list[Way]) -> None:
    """As after a mistake in a role: hosts are left at once."""
    with Connections(three_node) as connections:
        connections.begin([three_node.central])
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


# Over gateways


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An operator with a key, and no configuration of the system's."""
    opened: list[client.Connection] = []
    real = client.Connection.open

    def noted(self: client.Connection) -> None:
        opened.append(self)
        real(self)

    monkeypatch.setattr(client.Connection, "open", noted)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setattr(ssh_config_files, "SYSTEM", ())
    monkeypatch.setattr(connection, "gateways", Gateways())
    monkeypatch.setattr(connection, "PAUSES", (0.05, 0.1, 0.2, 0.2))
    (tmp_path / ".ssh").mkdir(mode=0o700)
    (tmp_path / "requirements.txt").touch()
    KEY.write_private_key_file(str(tmp_path / ".ssh/id_rsa"))
    yield tmp_path
    for each in opened:
        each.close()


KEY = paramiko.RSAKey.generate(2048)
INVENTORY = """
cluster: home
domain: example.test
networks: {private: 198.18.7.0/24}
app: {name: site, source: ., wsgi: site.wsgi, settings: site.settings}
nodes:
"""


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


NODE_ALONE = (
    "  server-1: {kind: central, private: 198.18.7.11}\n"
    "  server-3: {kind: child, private: 198.18.7.13}\n"
)
WAYS = [by_inventory, by_proxy_jump, by_nested_proxy_jump]
Written = Callable[[Path, list[Server]], str]


def load(home: Path, nodes: str) -> Cluster:
    (home / "home.yml").write_text(INVENTORY + nodes)
    for file in home.glob(".ssh/config"):
        file.chmod(0o600)
    return load_cluster(home / "home.yml")


def knows(home: Path, *lines: str) -> None:
    (home / ".ssh/known_hosts").write_text("".join(lines))


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


# Many nodes behind one gateway


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
