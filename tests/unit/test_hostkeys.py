"""Host keys: who is there, and is it who we know? Against a real SSH server on a socket pair."""

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import paramiko
import pytest
from paramiko.hostkeys import HostKeyEntry

from nodriza import hostkeys
from nodriza.errors import ConnectionFailed, HostKeyError
from nodriza.hostkeys_accept import Way, accept, listing, ways
from nodriza.inventory import Cluster, Node, load_cluster

ECDSA = paramiko.ECDSAKey.generate()
OTHER = paramiko.ECDSAKey.generate()
RSA = paramiko.RSAKey.generate(2048)

INVENTORY = """
cluster: home
domain: example.test
networks: {private: 198.18.7.0/24}
app: {name: site, source: ., wsgi: site.wsgi, settings: site.settings}
nodes:
  server-1: {kind: central, private: 198.18.7.11}
  server-2: {kind: child, private: 198.18.7.12, ssh: {port: 2222}}
  server-3: {kind: child, private: 198.18.7.13, ssh: {gateway: "ops@bastion.example.test:2200"}}
  server-4: {kind: child, private: 198.18.7.14, ssh: {known_hosts: keys/lab}}
"""


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / "home.yml").write_text(INVENTORY)
    (tmp_path / "requirements.txt").touch()
    return load_cluster(tmp_path / "home.yml")


@dataclass
class Server:
    """Real SSH servers, each on one end of a socket pair."""

    running: list[paramiko.Transport] = field(default_factory=list)

    def line(self, *keys: paramiko.PKey) -> socket.socket:
        ours, theirs = socket.socketpair()
        transport = paramiko.Transport(theirs)
        for key in keys:
            transport.add_server_key(key)
        transport.start_server(event=threading.Event(), server=paramiko.ServerInterface())
        self.running.append(transport)
        return ours


@pytest.fixture
def server() -> Iterator[Server]:
    it = Server()
    yield it
    for transport in it.running:
        transport.close()


@dataclass
class Line:
    """What ``Way`` needs of a Fabric connection, through a proxy command."""

    host: str
    port: int
    open_gateway: Callable[[], Any]
    gateway: str = "proxy"


@pytest.fixture
def way(cluster: Cluster, server: Server) -> Callable[..., Way]:
    def to(name: str, *keys: paramiko.PKey) -> Way:
        node = cluster.node(name)
        line = Line(node.private, node.ssh.port, lambda: server.line(*keys))
        return Way(name, line, node, cluster)

    return to


def connect(node: Node, cluster: Cluster, sock: socket.socket) -> None:
    client = paramiko.SSHClient()
    line: Any = SimpleNamespace(client=client, host=node.private, port=node.ssh.port)
    hostkeys.trust(line, node, cluster)
    try:
        client.connect(
            node.private,
            node.ssh.port,
            username="root",
            password="x",
            sock=sock,
            allow_agent=False,
            look_for_keys=False,
        )
    finally:
        client.close()


def no(_question: str) -> bool:
    return False


def yes(_question: str) -> bool:
    return True


# Connecting


def test_unknown_key__is_refused_with_its_fingerprint_and_what_to_type(
    cluster: Cluster, server: Server
) -> None:
    with pytest.raises(HostKeyError) as caught:
        connect(cluster.node("server-2"), cluster, server.line(ECDSA))
    said = str(caught.value)
    assert said.startswith("server-2 ([198.18.7.12]:2222): unknown host key: ecdsa-sha2-nistp256")
    assert ECDSA.fingerprint in said
    assert "fab hostkeys.accept server-2" in said
    assert "ssh_host_ecdsa_key.pub" in said


def test_known_key__goes_on_to_the_log_in(cluster: Cluster, server: Server) -> None:
    node = cluster.node("server-2")
    hostkeys.pin(hostkeys.known_hosts_files(node, cluster)[0], "[198.18.7.12]:2222", ECDSA)
    with pytest.raises(paramiko.AuthenticationException):
        connect(node, cluster, server.line(ECDSA))


def test_key_under_a_hashed_name__is_known_beside_damaged_lines(
    cluster: Cluster, server: Server, tmp_path: Path
) -> None:
    """As ssh itself writes it with HashKnownHosts (ssh_config(5)), which is Debian's default."""
    hashed = paramiko.HostKeys.hash_host("198.18.7.11")
    (tmp_path / ".ssh/known_hosts").write_text(
        f"|1|\n|1|x|y ssh-rsa AAAA\n{hashed} {ECDSA.get_name()} {ECDSA.get_base64()}\n"
    )
    with pytest.raises(paramiko.AuthenticationException):
        connect(cluster.central, cluster, server.line(ECDSA))


def test_keys_of_other_hosts__are_not_read(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of a thousand nodes would read the keys of all: minutes."""
    lines = [f"198.18.7.{n} {ECDSA.get_name()} {ECDSA.get_base64()}" for n in range(110)]
    (tmp_path / "home.known_hosts").write_text("\n".join(lines))
    read: list[int] = []
    real = HostKeyEntry.from_line

    def from_line(line: str, number: int) -> HostKeyEntry | None:
        read.append(number)
        return real(line, number)

    monkeypatch.setattr(HostKeyEntry, "from_line", from_line)
    line: Any = SimpleNamespace(client=paramiko.SSHClient(), host="198.18.7.11", port=22)
    hostkeys.trust(line, cluster.central, cluster)
    assert read == [12]
    assert line.client.get_host_keys().check("198.18.7.11", ECDSA)


def test_key_of_one_port__says_nothing_about_another(cluster: Cluster, server: Server) -> None:
    node = cluster.node("server-2")
    hostkeys.pin(hostkeys.known_hosts_files(node, cluster)[0], "198.18.7.12", ECDSA)
    with pytest.raises(HostKeyError, match="unknown host key"):
        connect(node, cluster, server.line(ECDSA))


def test_key_known_at_home__is_good_enough(
    cluster: Cluster, server: Server, tmp_path: Path
) -> None:
    hostkeys.pin(tmp_path / ".ssh/known_hosts", "198.18.7.11", RSA)
    with pytest.raises(paramiko.AuthenticationException):
        connect(cluster.central, cluster, server.line(ECDSA, RSA))


def test_changed_key__names_both_fingerprints_and_the_line_of_the_old(
    cluster: Cluster, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "home.known_hosts").write_text("# ours\n")
    hostkeys.pin(tmp_path / "home.known_hosts", "[198.18.7.12]:2222", OTHER)
    node = cluster.node("server-2")
    with pytest.raises(paramiko.BadHostKeyException) as caught:
        connect(node, cluster, server.line(ECDSA))
    said = str(hostkeys.changed(caught.value, node, cluster))

    assert f"known:   ecdsa-sha2-nistp256 {OTHER.fingerprint}" in said
    assert f"offered: ecdsa-sha2-nistp256 {ECDSA.fingerprint}" in said
    assert f"{tmp_path}/home.known_hosts:2" in said
    assert "fab hostkeys.accept server-2 --replace" in said


def test_changed_key_of_a_gateway__is_not_taken_for_the_nodes(
    cluster: Cluster, tmp_path: Path
) -> None:
    node = cluster.node("server-3")
    name = "bastion.example.test"
    hostkeys.pin(tmp_path / "home.known_hosts", f"[{name}]:2200", OTHER)
    error = paramiko.BadHostKeyException(name, ECDSA, OTHER)
    said = str(hostkeys.changed(error, node, cluster))

    assert said.startswith(f"{name}:2200 ([{name}]:2200): THE HOST KEY HAS CHANGED")
    assert OTHER.fingerprint in said
    assert f"fab hostkeys.accept {name}:2200 --replace" in said


def test_pinned_key__counts_more_than_the_one_at_home(
    cluster: Cluster, server: Server, tmp_path: Path
) -> None:
    hostkeys.pin(tmp_path / ".ssh/known_hosts", "198.18.7.11", OTHER)
    hostkeys.pin(tmp_path / "home.known_hosts", "198.18.7.11", ECDSA)
    with pytest.raises(paramiko.AuthenticationException):
        connect(cluster.central, cluster, server.line(ECDSA))


def test_node_with_its_own_file__is_looked_up_nowhere_else(
    cluster: Cluster, server: Server, tmp_path: Path
) -> None:
    hostkeys.pin(tmp_path / "home.known_hosts", "198.18.7.14", ECDSA)
    with pytest.raises(HostKeyError, match="unknown host key"):
        connect(cluster.node("server-4"), cluster, server.line(ECDSA))


def test_unknown_gateway__is_called_by_its_own_name(cluster: Cluster) -> None:
    policy = hostkeys.RefuseUnknown(cluster.node("server-3"), cluster)
    with pytest.raises(HostKeyError, match=r"hostkeys\.accept bastion\.example\.test:2200"):
        policy.missing_host_key(paramiko.SSHClient(), "[bastion.example.test]:2200", ECDSA)


# Fetching


def test_fetch_key__asks_first_for_the_type_that_is_known(server: Server) -> None:
    def offered(prefer: str) -> str:
        line = server.line(ECDSA, RSA)
        return hostkeys.fetch_key("server", 22, sock=line, prefer=prefer).get_name()

    assert offered("ssh-rsa") == "ssh-rsa"
    assert offered("ecdsa-sha2-nistp256") == "ecdsa-sha2-nistp256"


def test_fetch_key__of_something_that_is_no_ssh_server_says_so() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with pytest.raises(ConnectionFailed, match=r"\[server\]:2222: no host key from it"):
        hostkeys.fetch_key("server", 2222, 2, sock=ours)


# Pinning


def test_pin__keeps_comments_and_other_hosts(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    hostkeys.pin(file, "a", ECDSA)
    file.write_text(f"# the team's hosts\n\n{file.read_text().replace('a ', 'a,b ', 1)}nonsense\n")
    hostkeys.pin(file, "a", OTHER)

    assert file.read_text().splitlines() == [
        "# the team's hosts",
        "",
        f"b {ECDSA.get_name()} {ECDSA.get_base64()}",
        "nonsense",
        f"a {OTHER.get_name()} {OTHER.get_base64()}",
    ]


def test_pin__replaces_a_hashed_name_too(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    hashed = paramiko.HostKeys.hash_host("a")
    file.write_text(f"{hashed} {ECDSA.get_name()} {ECDSA.get_base64()}\n")
    assert [known.key for known in hostkeys.known([file], "a")] == [ECDSA]

    hostkeys.pin(file, "a", OTHER)
    assert [known.key for known in hostkeys.known([file], "a")] == [OTHER]
    assert len(file.read_text().splitlines()) == 1


def test_known__does_not_take_a_revoked_key_for_a_known_one(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"@revoked a {ECDSA.get_name()} {ECDSA.get_base64()}\n")
    assert hostkeys.known([file], "a") == []


# Accepting


Ways = Callable[..., Way]


def test_accept__pins_the_key_after_a_yes(way: Ways, tmp_path: Path) -> None:
    asked: list[str] = []

    def ask(question: str) -> bool:
        asked.append(question)
        return True

    said = accept(way("server-2", ECDSA), ask=ask)

    assert ECDSA.fingerprint in asked[0]
    assert said.startswith("server-2 accepted: ecdsa-sha2-nistp256 SHA256:")
    assert (tmp_path / "home.known_hosts").read_text() == (
        f"[198.18.7.12]:2222 {ECDSA.get_name()} {ECDSA.get_base64()}\n"
    )
    assert "known already" in accept(way("server-2", ECDSA), ask=None)


def test_accept__writes_to_the_nodes_own_file(way: Ways, tmp_path: Path) -> None:
    accept(way("server-4", ECDSA), ask=yes)
    assert (tmp_path / "keys/lab").read_text().startswith("198.18.7.14 ecdsa")


def test_accept__writes_nothing_after_a_no(way: Ways, tmp_path: Path) -> None:
    with pytest.raises(HostKeyError, match="not accepted"):
        accept(way("server-1", ECDSA), ask=no)
    assert not (tmp_path / "home.known_hosts").exists()


def test_accept__refuses_when_nobody_is_there_to_verify(way: Ways, tmp_path: Path) -> None:
    with pytest.raises(HostKeyError, match=r"accept server-1 --fingerprint SHA256:"):
        accept(way("server-1", ECDSA), ask=None)
    assert not (tmp_path / "home.known_hosts").exists()


def test_accept__takes_the_right_fingerprint_for_a_yes(way: Ways) -> None:
    said = accept(way("server-1", ECDSA), fingerprint=ECDSA.fingerprint, ask=None)
    assert said.startswith("server-1 accepted")


@pytest.mark.parametrize("given", [OTHER.fingerprint, "SHA256:", "SHA256:wrong", " "])
def test_accept__refuses_another_fingerprint_even_when_asked_to_replace(
    way: Ways, tmp_path: Path, given: str
) -> None:
    with pytest.raises(HostKeyError, match="another key than you expect"):
        accept(way("server-1", ECDSA), fingerprint=given, replace=True, ask=yes)
    assert not (tmp_path / "home.known_hosts").exists()


def test_accept__of_a_changed_key_wants_to_be_told_to_replace(way: Ways, tmp_path: Path) -> None:
    accept(way("server-1", OTHER), ask=yes)
    with pytest.raises(HostKeyError, match="HAS CHANGED"):
        accept(way("server-1", ECDSA), fingerprint=ECDSA.fingerprint, ask=yes)

    accept(way("server-1", ECDSA), replace=True, ask=yes)
    found = hostkeys.known([tmp_path / "home.known_hosts"], "198.18.7.11")
    assert [known.key for known in found] == [ECDSA]


def test_ways__lead_to_nodes_and_to_gateways(cluster: Cluster) -> None:
    assert [way.word for way in ways(cluster, "server-1,server-2")] == ["server-1", "server-2"]
    (gateway,) = ways(cluster, "bastion.example.test:2200")
    assert gateway.name == "[bastion.example.test]:2200"


def test_listing__tells_known_nodes_from_unknown_ones(way: Ways, cluster: Cluster) -> None:
    accept(way("server-1", ECDSA), ask=yes)
    first, second, *_ = listing(cluster)
    assert ECDSA.fingerprint in first
    assert "home.known_hosts:1" in first
    assert second == "server-2  [198.18.7.12]:2222  unknown: fab hostkeys.accept server-2"
