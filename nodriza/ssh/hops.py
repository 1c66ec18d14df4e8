"""The way to a node, hop by hop: where each is, who we are there and by which keys it is known.

The inventory says it, and ssh_config what the inventory leaves open: the hop before a node
is its ``ssh.gateway``, else the ProxyJump or the ProxyCommand of ssh_config, which may have
hops before it in turn. Nothing is connected here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from nodriza.errors import SshConfigError
from nodriza.ssh import ssh_config
from nodriza.ssh.login import typed

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node

CONNECT_TIMEOUT = 10
"""Seconds; for the TCP connection, the banner and the log-in each."""
MOST_HOPS = 8
KINDS = {
    "ciphers": "ciphers",
    "macs": "macs",
    "kexalgorithms": "kex",
    "hostkeyalgorithms": "keys",
    "pubkeyacceptedalgorithms": "pubkeys",
}
"""Options of ssh_config(5) that list algorithms, and paramiko's words for them."""


@dataclass(frozen=True)
class Keys:
    """With what we log in."""

    files: tuple[str, ...] = ()
    defaults: bool = True
    """Those of ~/.ssh that have the usual names as well."""
    agent: str | None = ""
    """A socket; empty: $SSH_AUTH_SOCK, ``None``: no agent."""
    only: tuple[str, ...] = ()
    """Of the agent's keys only those whose public halves lie beside these files."""


@dataclass(frozen=True)
class Hop:
    """One SSH server on the way. Two that are equal can share a connection."""

    word: str
    """What a person calls it: a node's name, or a gateway's host and written port."""
    host: str
    port: int
    user: str
    known_as: str
    """The name under which known_hosts files have its key."""
    known_hosts: tuple[tuple[Path, ...], ...]
    """Files that may know it; where one group does, the next ones are not looked into."""
    revoked: tuple[str, ...] = ()
    """Files of revoked keys: RevokedHostKeys of ssh_config(5)."""
    rsa_bits: int = 0
    """Of the shortest RSA key that is good enough, theirs and ours: its RequiredRSASize."""
    keys: Keys = Keys()
    timeout: float = CONNECT_TIMEOUT
    before: Hop | None = None
    """The gateway through which it is reached."""
    command: str = ""
    """A program through which it is reached: the ProxyCommand, ready for a shell."""
    family: str = "any"
    bind: str = ""
    compress: bool = False
    forward_agent: bool = False
    algorithms: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """The only ones, by paramiko's word for their kind."""

    @property
    def login(self) -> str:
        """user@host:port"""
        return f"{self.user}@{self.host}:{self.port}"

    def __iter__(self) -> Iterator[Hop]:
        """All the way, from the first hop to this one."""
        if self.before:
            yield from self.before
        yield self


def known_name(host: str, port: int) -> str:
    """A host as known_hosts files write it."""
    return host if port == 22 else f"[{host}]:{port}"


def to_node(node: Node, cluster: Cluster) -> Hop:
    """The last hop, with those before it. Raises ``SshConfigError``."""
    ssh = node.ssh
    host = ssh.host or node.private
    said = ssh_config.about(
        host,
        ssh.user if "user" in ssh.model_fields_set else None,
        ssh.port if "port" in ssh.model_fields_set else None,
    )
    if not said.names_user:
        said = ssh_config.about(host, ssh.user, said.port)
    hop = _hop(node.name, host, said, known_hosts_files(node, cluster))
    if cluster.lab_overlay:
        hop = replace(hop, timeout=cluster.lab_overlay.patience)
    if ssh.key is not None:
        # This key and no other: each one that an agent offers costs a round trip, and
        # some hosts shut the door after a few.
        hop = replace(hop, keys=Keys((str(ssh.key),), defaults=False, agent=None))
    hop = _as_typed(hop)
    if "gateway" not in ssh.model_fields_set:
        return _as_ssh_config_says(hop, host, said, (hop.login,))
    for other in cluster.nodes:
        if other.name == ssh.gateway:
            return replace(hop, before=to_node(other, cluster))
    if ssh.gateway:
        return replace(hop, before=_gateway(ssh.gateway, hop, (hop.login,)))
    return hop


def known_hosts_files(node: Node, cluster: Cluster) -> tuple[Path, ...]:
    """The inventory's own, for a node and for the gateways before it that are no nodes.

    The first is where keys are pinned; ``ssh.known_hosts`` of the inventory stands alone.
    """
    if node.ssh.known_hosts is not None:
        return (node.ssh.known_hosts.expanduser(),)
    pinned = cluster.path.with_name(f"{cluster.path.stem}.known_hosts")
    return (pinned, *_usual_files())


def _usual_files() -> tuple[Path, ...]:
    own, system = Path.home() / ".ssh", Path("/etc/ssh")
    return (
        *(own / name for name in ("known_hosts", "known_hosts2")),
        *(system / name for name in ("ssh_known_hosts", "ssh_known_hosts2")),
    )


def _hop(word: str, typed: str, said: ssh_config.Said, known_hosts: tuple[Path, ...]) -> Hop:
    """All but the way to it."""
    name = said.get("hostkeyalias") or known_name(said.host, said.port)
    timeout = said.get("connecttimeout")
    return Hop(
        word=word,
        host=said.host,
        port=said.port,
        user=said.user,
        known_as=name,
        known_hosts=_known_hosts(known_hosts, typed, said),
        revoked=tuple(
            _path(value, typed, said) for value in said.all("revokedhostkeys") if value != "none"
        ),
        rsa_bits=int(said.get("requiredrsasize") or 0),
        keys=_keys(typed, said),
        timeout=float(timeout) if timeout.isdigit() else CONNECT_TIMEOUT,
        family=said.get("addressfamily") or "any",
        bind=said.get("bindaddress"),
        compress=said.get("compression") == "yes",
        forward_agent=said.get("forwardagent") == "yes",
        algorithms=tuple(
            (kind, tuple(said.get(name).split(",")))
            for name, kind in KINDS.items()
            if said.get(name)
        ),
    )


def _known_hosts(
    ours: tuple[Path, ...], typed: str, said: ssh_config.Said
) -> tuple[tuple[Path, ...], ...]:
    """The file where keys are pinned, and then ssh's own where the inventory names none."""
    pinned, *usual = ours
    if not usual:
        return ((pinned,),)
    files = []
    for option, default in (
        ("userknownhostsfile", usual[:2]),
        ("globalknownhostsfile", usual[2:]),
    ):
        words = said.get(option).split()
        if any(word[0] not in "/~%$" for word in words if word != "none"):
            raise ssh_config.refused(typed, f"{option}, a name with a space in it", option)
        names = [Path(_path(word, typed, said)) for word in words if word != "none"]
        files += names if words else default
    return ((pinned,), tuple(files))


def _keys(typed: str, said: ssh_config.Said) -> Keys:
    agent = said.get("identityagent")
    socket: str | None = None if agent == "none" else ""
    if agent not in ("", "none", "SSH_AUTH_SOCK"):
        # $NAME here, where all other options have ${NAME}.
        socket = os.environ.get(agent[1:], "") if agent[0] == "$" else _path(agent, typed, said)
    names = [_path(value, typed, said) for value in said.all("identityfile") if value != "none"]
    for certificate in said.all("certificatefile"):
        if _path(certificate, typed, said) not in [f"{name}-cert.pub" for name in names]:
            words = f"certificatefile {certificate}, which is not KEY-cert.pub of an IdentityFile"
            raise ssh_config.refused(typed, words, "certificatefile")
    files = tuple(name for name in names if Path(name).is_file())  # ssh passes over the others
    if said.get("identitiesonly") != "yes":
        return Keys(files, not said.all("identityfile"), socket)
    usual = [str(Path.home() / ".ssh" / f"id_{kind}") for kind in ("rsa", "ecdsa", "ed25519")]
    only = tuple(names if said.all("identityfile") else usual)
    return Keys(files, not said.all("identityfile"), socket, only)


def _as_typed(hop: Hop) -> Hop:
    """With what the command line says: it was typed last, and for all hops."""
    login = typed()
    if login.identities:
        hop = replace(hop, keys=Keys(login.identities, defaults=False, agent=None))
    return replace(hop, timeout=login.patience) if login.patience else hop


def _path(value: str, typed: str, said: ssh_config.Said) -> str:
    return str(Path(ssh_config.tokens(value, said, typed, said.user)).expanduser())


def _as_ssh_config_says(hop: Hop, typed: str, said: ssh_config.Said, seen: tuple[str, ...]) -> Hop:
    """The same with the ProxyJump or the ProxyCommand that ssh_config has for it."""
    jumps = [jump for jump in said.get("proxyjump").split(",") if jump not in ("", "none")]
    command = said.get("proxycommand")
    if jumps:
        before = None
        for jump in jumps:
            spec = ssh_config.tokens(jump, said, typed, said.user)
            # Of several, ssh looks for a way to the first one only.
            before = _gateway(spec, hop, seen, before)
        return replace(hop, before=before)
    if command not in ("", "none"):
        return replace(hop, command=ssh_config.tokens(command, said, typed, said.user))
    return hop


def _gateway(spec: str, hop: Hop, seen: tuple[str, ...], before: Hop | None = None) -> Hop:
    """A host that is no node: ``[user@]host[:port]``, and what ssh_config knows of it.

    It is known by the files of the hop behind it.
    """
    user, host, port = split(spec)
    said = ssh_config.about(host, user, port)
    ours = (
        hop.known_hosts[0] if len(hop.known_hosts) == 1 else (*hop.known_hosts[0], *_usual_files())
    )
    # ssh -G puts addresses into brackets; a person does so before a port of IPv6 only.
    word = host if port is None else f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    gateway = _as_typed(_hop(word, host, said, ours))
    if gateway.login in seen or len(seen) > MOST_HOPS:
        raise SshConfigError(
            f"the way leads in a circle: {' -> '.join((*seen, gateway.login))}",
            where=f"ssh_config of {host}",
            kept="no host was asked anything",
            do=f"give {host} a ProxyJump none, before the line that holds for all hosts",
        )
    if before is not None:
        return replace(gateway, before=before)
    return _as_ssh_config_says(gateway, host, said, (*seen, gateway.login))


def split(spec: str) -> tuple[str | None, str, int | None]:
    """User, host and port of ``[ssh://][user@]host[:port]``; an IPv6 address in brackets."""
    user, _, place = spec.removeprefix("ssh://").rstrip("/").rpartition("@")
    found = re.fullmatch(r"\[(.+)\](?::(\d+))?|([^:]+)(?::(\d+))?", place)
    if found is None:  # an IPv6 address without brackets
        return user or None, place, None
    port = found[2] or found[4]
    return user or None, found[1] or found[3], int(port) if port else None
