"""Only nodriza/ssh/client.py makes SSH clients, so none can accept a key that it does not know.

Law 6 of docs/design.rst holds by construction, and this is the fence around it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest

from nodriza.ssh.client import Client, Connection
from nodriza.ssh.hops import Hop

ROOT = Path(__file__).parents[3]
HOME = ROOT / "nodriza" / "ssh" / "client.py"
MAKERS = {
    "AutoAddPolicy", "Connection", "Group", "SSHClient", "SerialGroup", "ThreadingGroup",
    "Transport", "WarningPolicy",
}  # fmt: skip
"""Of paramiko and Fabric: what is a client, or makes one trust everybody."""
KNOWN = {
    # The class of every connection's transport, which bounds what a stranger sends.
    "nodriza/ssh/wire.py": {"Transport"},
    # ssh -G reads a configuration and connects to nobody.
    "nodriza/ssh/ssh_config.py": {"the program ssh"},
    # The machines of labs; that each is asked for a known key is looked at below.
    "nodriza/lab/ssh.py": {"the program ssh"},
    "nodriza/lab/virtual/logins.py": {"StrictHostKeyChecking"},
    "nodriza/lab/containers/lab.py": {"StrictHostKeyChecking"},
    "nodriza/lab/virtual/lab.py": {"StrictHostKeyChecking"},
    # A drill's way to a folder of copies on a node; only keys that are known are taken.
    "nodriza/drill/copy.py": {"the program ssh", "StrictHostKeyChecking"},
    # restic's way to where backups go, from a node; its host key is in the inventory.
    "roles/backup.py": {"StrictHostKeyChecking"},
}


def clients_in(path: Path) -> Iterator[str]:
    """Everything in a file by which an SSH client can be made, or be made careless."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            if node.attr == "set_missing_host_key_policy":
                yield node.attr
            if isinstance(node.value, ast.Name) and node.value.id in ("fabric", "paramiko"):
                yield from MAKERS & {node.attr}
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith(
            ("fabric", "paramiko", "asyncssh")
        ):
            yield from MAKERS & {alias.name for alias in node.names}
        elif isinstance(node, ast.keyword) and node.arg == "StrictHostKeyChecking":
            yield node.arg
        elif isinstance(node, ast.Constant) and "StrictHostKeyChecking" in str(node.value):
            yield "StrictHostKeyChecking"
        elif isinstance(node, ast.List) and node.elts:
            first = node.elts[0]
            if isinstance(first, ast.Constant) and first.value in ("ssh", "scp", "sftp"):
                yield f"the program {first.value}"


@pytest.mark.parametrize(
    "path",
    [
        path
        for folder in ("nodriza", "fabfile", "roles")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path != HOME
    ],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_module__makes_no_ssh_client_of_its_own(path: Path) -> None:
    assert set(clients_in(path)) <= KNOWN.get(str(path.relative_to(ROOT)), set())


@pytest.mark.parametrize(
    "text",
    [
        "import fabric\nfabric.Connection('x')",
        "from fabric import Connection as C",
        "from paramiko.client import AutoAddPolicy",
        "import paramiko\nparamiko.SSHClient()",
        "x.set_missing_host_key_policy(y)",
        "run(['ssh', 'host', 'true'])",
        "run('ssh -o StrictHostKeyChecking=no host')",
    ],
)
def test_fence__has_no_hole(tmp_path: Path, text: str) -> None:
    (tmp_path / "module.py").write_text(text)
    assert list(clients_in(tmp_path / "module.py"))


def test_lab__logs_in_without_a_known_key_at_one_place_only() -> None:
    """Where a virtual machine that was made just now shows its host keys."""
    places = [
        path.name
        for path in sorted((ROOT / "nodriza" / "lab").rglob("*.py"))
        if 'StrictHostKeyChecking="no"' in path.read_text()
    ]
    assert places == ["logins.py"]


HOP = Hop("x", "127.0.0.1", 22, "root", "127.0.0.1", ())


def nobody(_: Hop) -> Connection:
    raise AssertionError


@pytest.mark.parametrize("policy", [paramiko.AutoAddPolicy(), paramiko.WarningPolicy()])
def test_client__takes_no_other_policy(policy: Any) -> None:
    line = Connection(HOP, nobody)
    with pytest.raises(TypeError):
        line.client.set_missing_host_key_policy(policy)
    assert type(line.client) is Client


def test_client__has_no_list_of_keys_that_could_be_added_to() -> None:
    client = Client(HOP)
    key = paramiko.ECDSAKey.generate()
    client.get_host_keys().add("127.0.0.1", key.get_name(), key)
    assert len(client.get_host_keys()) == 0
    for load in (client.load_host_keys, client.load_system_host_keys):
        with pytest.raises(TypeError):
            load("known_hosts")


def test_line__has_no_gateway_that_fabric_would_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fabric reads ssh_config as well, and makes plain connections for its ProxyJump."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/config").write_text("Host *\n  ProxyJump elsewhere\n")
    line = Connection(HOP, nobody)
    assert line.gateway is None
    assert line.ssh_config == {"hostname": "127.0.0.1"}


def test_shell_of_a_login__is_spoken_to_by_what_knows_whether_it_began() -> None:
    """The agent's first event and a script's mark say so; an exit code does not."""
    said = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "nodriza").rglob("*.py"))
        if re.search(r"\b(in_sh|exec_command)\(", path.read_text())
    ]
    assert said == [
        "nodriza/ssh/agent_archive.py",
        "nodriza/ssh/channel.py",
        "nodriza/ssh/login_shell.py",
        "nodriza/ssh/script.py",
        "nodriza/ssh/terminal.py",
    ]
