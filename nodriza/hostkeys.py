"""Who a host is: its SSH key must be known before anything is said to it.

Known keys are read from the node's ``ssh.known_hosts`` where the inventory sets it, else
from ``<inventory>.known_hosts`` beside the inventory and then ``~/.ssh/known_hosts``, all
in OpenSSH's format (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). Accepted keys go to the first
of these. A host that the first file knows is not looked up in the second.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.hostkeys import HostKeyEntry, HostKeys

from nodriza import foreign
from nodriza.errors import ConnectionFailed, HostKeyError
from nodriza.files import exclusively, write_whole
from nodriza.wire import Transport

if TYPE_CHECKING:
    import fabric

    from nodriza.inventory import Cluster, Node

TIMEOUT = 10  # seconds
_GONE = "# (removed)"


@dataclass(frozen=True)
class Known:
    """A key of a host, and the line of the file that holds it."""

    path: Path
    line: int
    key: paramiko.PKey

    @property
    def where(self) -> str:
        """file:line."""
        return f"{self.path}:{self.line}"


def known_hosts_files(node: Node, cluster: Cluster) -> list[Path]:
    """The files that may know a node, in order; they need not exist."""
    if node.ssh.known_hosts is not None:
        return [node.ssh.known_hosts.expanduser()]
    pinned = cluster.path.with_name(f"{cluster.path.stem}.known_hosts")
    return [pinned, Path("~/.ssh/known_hosts").expanduser()]


def trust(connection: fabric.Connection, node: Node, cluster: Cluster) -> None:
    """Let a connection, on its way to a node, reach only whom we know.

    Opening it then raises ``HostKeyError`` for an unknown key, and paramiko's
    ``BadHostKeyException`` for a changed one: see ``changed``.
    """
    client, name = connection.client, known_name(connection.host, int(connection.port))
    keys = client.get_host_keys()
    for each in known(known_hosts_files(node, cluster), name):
        kind = each.key.get_name()
        if kind not in (keys.lookup(name) or ()):  # of several, paramiko too takes the first
            keys.add(name, kind, each.key)
    client.set_missing_host_key_policy(RefuseUnknown(node, cluster))


class RefuseUnknown(paramiko.MissingHostKeyPolicy):
    """Say who is there, and what to type if that is right."""

    def __init__(self, node: Node, cluster: Cluster) -> None:
        self.node = node
        self.cluster = cluster

    def missing_host_key(
        self,
        client: paramiko.SSHClient,  # noqa: ARG002
        hostname: str,
        key: paramiko.PKey,
    ) -> None:
        """Always raises."""
        word = word_for(hostname, self.node, self.cluster)
        raise HostKeyError(
            f"unknown host key: {key.get_name()} {key.fingerprint}",
            where=f"{word} ({hostname})",
            kept="nothing was sent to the host",
            do=f"compare with the host itself ({_on_the_host(key)})\n"
            f"        if it is the same: fab hostkeys.accept {word}",
        )


def changed(error: paramiko.BadHostKeyException, node: Node, cluster: Cluster) -> HostKeyError:
    """The error for a host whose key is not the one that is known."""
    name = _full_name(error, node, cluster)
    return changed_key(name, error.key, node, cluster)


def changed_key(name: str, key: paramiko.PKey, node: Node, cluster: Cluster) -> HostKeyError:
    """The same, for the host that known_hosts files call ``name``."""
    word = word_for(name, node, cluster)
    olds = [
        f"\n  known:   {old.key.get_name()} {old.key.fingerprint} in {old.where}"
        for old in known(known_hosts_files(node, cluster), name)
    ]
    return HostKeyError(
        "THE HOST KEY HAS CHANGED: the host was installed anew, or somebody else answers in"
        f" its place{''.join(olds)}\n  offered: {key.get_name()} {key.fingerprint}",
        where=f"{word} ({name})",
        kept="nothing was sent to the host",
        do=f"compare with the host itself ({_on_the_host(key)})\n"
        f"        if the offered key is its own: fab hostkeys.accept {word} --replace",
    )


def known(paths: list[Path], name: str) -> list[Known]:
    """The keys under ``name`` in the first file that has one."""
    for path in paths:
        found = [Known(path, number, entry.key) for number, entry in _entries(path, name)]
        if found:
            return found
    return []


def known_name(host: str, port: int) -> str:
    """A host as known_hosts files write it."""
    return host if port == 22 else f"[{host}]:{port}"


def fetch_key(
    address: str, port: int, timeout: float = TIMEOUT, *, sock: Any = None, prefer: str = ""
) -> paramiko.PKey:
    """The key that a host offers, without logging in.

    ``sock``: a way through a gateway, instead of a connection of our own. ``prefer``: the
    type to ask for first, as a client does that knows a key of this type.
    """
    transport = None
    try:
        link = sock or socket.create_connection((address, port), timeout)
        transport = Transport(link)
        transport.banner_timeout = timeout
        options = transport.get_security_options()
        kinds = list(options.key_types)
        options.key_types = sorted(kinds, key=lambda kind: not _same_type(kind, prefer))
        transport.start_client(timeout=timeout)
        return transport.get_remote_server_key()
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise ConnectionFailed(
            f"no host key from it: {foreign.reason(error)}",
            where=known_name(address, port),
            do="see that the host runs and that its SSH port is reachable from here",
        ) from error
    finally:
        if transport is not None:
            transport.close()


def pin(path: Path, name: str, key: paramiko.PKey) -> None:
    """Write a key to a file as the only one under ``name``; everything else stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with exclusively(path):
        lines = path.read_text("utf-8", "surrogateescape").splitlines() if path.exists() else []
        for number, entry in _entries(path, name):
            lines[number - 1] = _without(entry, name)
        lines = [line for line in lines if line != _GONE]
        lines.append(f"{name} {key.get_name()} {key.get_base64()}")
        write_whole(path, ("\n".join(lines) + "\n").encode(), 0o644)


def same_fingerprint(key: paramiko.PKey, fingerprint: str) -> bool:
    """Is it this SHA-256 fingerprint, as ssh-keygen(1) -l prints it?"""
    given = fingerprint.strip().removeprefix("SHA256:").rstrip("=")
    return bool(given) and given == str(key.fingerprint).removeprefix("SHA256:").rstrip("=")


def word_for(hostname: str, node: Node, cluster: Cluster) -> str:
    """What a person calls a host on the way to ``node``: a node's name, or a gateway."""
    names = {known_name(node.ssh.host or node.private, node.ssh.port): node.name}
    for other in cluster.nodes:
        address = other.ssh.host or other.private
        names.setdefault(known_name(address, other.ssh.port), other.name)
        names.setdefault(address, other.name)
    plain = hostname.replace("[", "").replace("]", "")  # "[host]:port" is typed "host:port"
    return names.get(hostname, plain)


def _full_name(error: paramiko.BadHostKeyException, node: Node, cluster: Cluster) -> str:
    """The name under which the expected key is known; paramiko leaves the port out."""
    ways = [(other.ssh.host or other.private, other.ssh.port) for other in (node, *cluster.nodes)]
    host, _, port = (node.ssh.gateway or "").rpartition("@")[2].partition(":")
    ways.append((host, int(port or 22)))
    names = [known_name(host, port) for host, port in ways if host == error.hostname]
    for name in names:
        found = known(known_hosts_files(node, cluster), name)
        if any(old.key == error.expected_key for old in found):
            return name
    return names[0] if names else error.hostname


def _on_the_host(key: paramiko.PKey) -> str:
    kind = key.get_name().removeprefix("ssh-").split("-")[0]
    return f"on it: ssh-keygen -lf /etc/ssh/ssh_host_{kind}_key.pub"


def _same_type(offered: str, known_type: str) -> bool:
    # One RSA key serves several signature algorithms.
    if known_type == "ssh-rsa":
        return offered.startswith("rsa-sha2-")
    return offered == known_type


def _entries(path: Path, name: str) -> Iterator[tuple[int, HostKeyEntry]]:
    """The lines about ``name``. To read a key takes long, so it is done for these only."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for number, line in enumerate(text.splitlines(), 1):
        if (name not in line and "|1|" not in line) or line.lstrip().startswith(("#", "@")):
            continue
        if not _is_about(line, name):
            continue
        try:
            entry = HostKeyEntry.from_line(line.strip(), number)
        except paramiko.SSHException:
            continue  # ssh itself skips what it can't read
        if entry is not None:
            yield number, entry


def _is_about(line: str, name: str) -> bool:
    return any(_is(word, name) for word in line.split(None, 1)[0].split(","))


def _is(word: str, name: str) -> bool:
    if not word.startswith("|1|"):
        return word == name
    try:
        return HostKeys.hash_host(name, word) == word
    except (AssertionError, IndexError, ValueError):  # damaged: ssh skips it too
        return False


def _without(entry: HostKeyEntry, name: str) -> str:
    others = [
        word for word in entry.hostnames or () if word != name and not word.startswith("|1|")
    ]
    if not others or entry.key is None:
        return _GONE
    return f"{','.join(others)} {entry.key.get_name()} {entry.key.get_base64()}"
