"""An operator with a key, and clusters over real SSH servers on this computer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from nodriza.inventory import Cluster, load_cluster
from nodriza.ssh import client, connection, ssh_config_files
from nodriza.ssh.connection import Gateways


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


NODE_ALONE = (
    "  server-1: {kind: central, private: 198.18.7.11}\n"
    "  server-3: {kind: child, private: 198.18.7.13}\n"
)


def load(home: Path, nodes: str) -> Cluster:
    (home / "home.yml").write_text(INVENTORY + nodes)
    for file in home.glob(".ssh/config"):
        file.chmod(0o600)
    return load_cluster(home / "home.yml")


def knows(home: Path, *lines: str) -> None:
    (home / ".ssh/known_hosts").write_text("".join(lines))
