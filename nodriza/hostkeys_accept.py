"""Getting to know a host: its key is fetched, verified by a person, and pinned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fabric
import paramiko

from nodriza import hostkeys
from nodriza.connection import unopened
from nodriza.errors import HostKeyError
from nodriza.inventory import resolve_target

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node

Ask = Callable[[str], bool]


@dataclass(frozen=True)
class Way:
    """A host to get to know: a node, or the gateway before it."""

    word: str
    connection: Any  # fabric.Connection, not opened
    node: Node
    cluster: Cluster

    @property
    def name(self) -> str:
        """As known_hosts files write it."""
        return hostkeys.known_name(self.connection.host, int(self.connection.port))

    @property
    def files(self) -> list[Path]:
        """Where its key may be known; the first is where it is pinned."""
        return hostkeys.known_hosts_files(self.node, self.cluster)

    def known(self) -> list[hostkeys.Known]:
        """The keys by which it is known now."""
        return hostkeys.known(self.files, self.name)

    def offered(self) -> paramiko.PKey:
        """The key it offers now, asked for as a client would that knows it."""
        sock = None
        if self.connection.gateway is not None:
            if not isinstance(self.connection.gateway, str):
                hostkeys.trust(self.connection.gateway, self.node, self.cluster)
            try:
                sock = self.connection.open_gateway()
            except paramiko.BadHostKeyException as error:
                raise hostkeys.changed(error, self.node, self.cluster) from None
        known = self.known()
        return hostkeys.fetch_key(
            self.connection.host,
            int(self.connection.port),
            sock=sock,
            prefer=known[0].key.get_name() if known else "",
        )


def ways(cluster: Cluster, target: str) -> list[Way]:
    """The hosts that a target names: nodes, or a gateway that the inventory names."""
    for node in cluster.nodes:
        gateway = node.ssh.gateway
        if gateway and target and target in (gateway, gateway.rpartition("@")[2]):
            if any(other.name == gateway for other in cluster.nodes):
                break
            return [Way(target, fabric.Connection(gateway), node, cluster)]
    return [
        Way(node.name, unopened(node, cluster), node, cluster)
        for node in resolve_target(cluster, target)
    ]


def accept(way: Way, *, fingerprint: str = "", replace: bool = False, ask: Ask | None) -> str:
    """Pin the key of one host once it is verified; what was done, in words.

    Verified by ``fingerprint``, or by a person who is asked. ``ask=None``: nobody is there.
    """
    key = way.offered()
    shown = f"{key.get_name()} {key.fingerprint}"
    if fingerprint and not hostkeys.same_fingerprint(key, fingerprint):
        raise HostKeyError(
            f"another key than you expect: {shown}",
            where=f"{way.word} ({way.name})",
            kept="nothing was accepted",
            do="find out who answers there, before anything else",
        )
    known = way.known()
    if any(old.key == key for old in known):
        return f"{way.word} is known already: {shown}"
    if known and not replace:
        raise hostkeys.changed_key(way.name, key, way.node, way.cluster)
    if not fingerprint:
        _ask_a_person(way, shown, ask)
    hostkeys.pin(way.files[0], way.name, key)
    return f"{way.word} accepted: {shown} in {way.files[0]}"


def listing(cluster: Cluster, target: str = "") -> list[str]:
    """A line for each node: its known keys, or what to type to get to know it."""
    lines = []
    for way in ways(cluster, target):
        found = [f"{k.key.get_name()} {k.key.fingerprint}  {k.where}" for k in way.known()]
        for words in found or [f"unknown: fab hostkeys.accept {way.word}"]:
            lines.append(f"{way.word}  {way.name}  {words}")
    return lines


def _ask_a_person(way: Way, shown: str, ask: Ask | None) -> None:
    if ask is None:
        raise HostKeyError(
            f"nobody is there to verify the key {shown}",
            where=f"{way.word} ({way.name})",
            kept="nothing was accepted",
            do=f"on a terminal, or: fab hostkeys.accept {way.word} --fingerprint SHA256:…"
            " with the fingerprint that the host itself shows",
        )
    if not ask(f"{way.word} ({way.name}) offers {shown}\nIs that what the host itself shows?"):
        raise HostKeyError("not accepted", where=way.word, kept="nothing was written")
