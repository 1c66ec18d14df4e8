"""An operator with clusters, over real SSH servers on this computer or on socket pairs."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
import pytest

from nodriza.inventory import Cluster, Node, load_cluster
from nodriza.ssh import client, connection, ssh_config_files
from nodriza.ssh.connection import Gateways
from nodriza.ssh.hops import Hop, to_node

ECDSA = paramiko.ECDSAKey.generate()
OTHER = paramiko.ECDSAKey.generate()
RSA = paramiko.RSAKey.generate(2048)
INVENTORY = """
cluster: home
domain: example.test
networks: {private: 198.18.7.0/24}
app: {name: site, source: ., wsgi: site.wsgi, settings: site.settings}
nodes:
"""
NODE_ALONE = (
    "  server-1: {kind: central, private: 198.18.7.11}\n"
    "  server-3: {kind: child, private: 198.18.7.13}\n"
)
FOUR_WAYS = """
  server-1: {kind: central, private: 198.18.7.11}
  server-2: {kind: child, private: 198.18.7.12, ssh: {port: 2222}}
  server-3: {kind: child, private: 198.18.7.13, ssh: {gateway: "ops@bastion.example.test:2200"}}
  server-4: {kind: child, private: 198.18.7.14, ssh: {known_hosts: keys/lab}}
"""


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
    RSA.write_private_key_file(str(tmp_path / ".ssh/id_rsa"))
    yield tmp_path
    for each in opened:
        each.close()


def load(home: Path, nodes: str) -> Cluster:
    (home / "home.yml").write_text(INVENTORY + nodes)
    for file in home.glob(".ssh/config"):
        file.chmod(0o600)
    return load_cluster(home / "home.yml")


def knows(home: Path, *lines: str) -> None:
    (home / ".ssh/known_hosts").write_text("".join(lines))


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Its nodes are reached in four ways, and nobody answers there."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / "requirements.txt").touch()
    return load(tmp_path, FOUR_WAYS)


@dataclass
class Answering:
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
def server() -> Iterator[Answering]:
    it = Answering()
    yield it
    for transport in it.running:
        transport.close()


@pytest.fixture
def hop(
    cluster: Cluster, server: Answering, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Hop]:
    """The way to a node, where somebody with these keys answers."""

    def to(name: str, *keys: paramiko.PKey) -> Hop:
        monkeypatch.setattr(client, "_dial", lambda _: server.line(*keys))
        return to_node(cluster.node(name), cluster)

    return to


def connect(node: Node, cluster: Cluster, sock: socket.socket) -> None:
    hop = to_node(node, cluster)
    ours = client.Client(hop)
    try:
        ours.connect(
            hop.host,
            hop.port,
            username="root",
            password="x",
            sock=sock,
            allow_agent=False,
            look_for_keys=False,
        )
    finally:
        ours.close()
        sock.close()  # as whoever has dialled does; a client that never began has not


def no(_question: str) -> bool:
    return False


def yes(_question: str) -> bool:
    return True
