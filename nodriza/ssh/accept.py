"""Getting to know a host: its key is fetched, verified by a person, and pinned."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from nodriza.errors import HostKeyError
from nodriza.inventory import resolve_target
from nodriza.ssh import connection, hops, hostkeys
from nodriza.ssh.hops import Hop

if TYPE_CHECKING:
    from nodriza.inventory import Cluster

Ask = Callable[[str], bool]


def to_know(cluster: Cluster, target: str) -> list[Hop]:
    """The hosts that a target names: nodes, or a gateway on the way to any node.

    A gateway is called as it is written in the inventory or in ssh_config, with its user or
    without.
    """
    if target and target not in {node.name for node in cluster.nodes}:
        ways = (hop for node in cluster.nodes for hop in hops.to_node(node, cluster))
        word = target.rpartition("@")[2]
        found = [hop for hop in ways if word in (hop.word, hop.known_as, f"{hop.host}:{hop.port}")]
        if found:
            # Of several users there it is one host, and it has one key.
            return list({(hop.known_as, hop.known_hosts): hop for hop in found}.values())
    return [hops.to_node(node, cluster) for node in resolve_target(cluster, target)]


def accept(hop: Hop, *, fingerprint: str = "", replace: bool = False, ask: Ask | None) -> str:
    """Pin the key of one host once it is verified; what was done, in words.

    Verified by ``fingerprint``, or by a person who is asked. ``ask=None``: nobody is there.
    """
    key = connection.fetch_key(hop)
    hostkeys.refuse_bad(hop, key)
    shown = f"{key.get_name()} {key.fingerprint}"
    if fingerprint and not hostkeys.same_fingerprint(key, fingerprint):
        raise HostKeyError(
            f"another key than you expect: {shown}",
            where=f"{hop.word} ({hop.known_as})",
            kept="nothing was accepted",
            do="find out who answers there, before anything else",
        )
    known = hostkeys.known(hop)
    if any(old.key == key for old in known):
        return f"{hop.word} is known already: {shown}"
    if known and not replace:
        raise hostkeys.changed(hop, key, known)
    if not fingerprint:
        _ask_a_person(hop, shown, ask)
    file = hop.known_hosts[0][0]
    hostkeys.pin(file, hop.known_as, key)
    return f"{hop.word} accepted: {shown} in {file}"


def listing(cluster: Cluster, target: str = "") -> list[str]:
    """Every node and gateway: a line for each known key, or what to type to get to know it."""
    lines = []
    for hop in dict.fromkeys(hop for way in to_know(cluster, target) for hop in way):
        found = [f"{k.key.get_name()} {k.key.fingerprint}  {k.where}" for k in hostkeys.known(hop)]
        for words in found or [f"unknown: fab hostkeys.accept {hop.word}"]:
            lines.append(f"{hop.word}  {hop.known_as}  {words}")
    return lines


def _ask_a_person(hop: Hop, shown: str, ask: Ask | None) -> None:
    if ask is None:
        raise HostKeyError(
            f"nobody is there to verify the key {shown}",
            where=f"{hop.word} ({hop.known_as})",
            kept="nothing was accepted",
            do=f"on a terminal, or: fab hostkeys.accept {hop.word} --fingerprint SHA256:…"
            " with the fingerprint that the host itself shows",
        )
    if not ask(f"{hop.word} ({hop.known_as}) offers {shown}\nIs that what the host itself shows?"):
        raise HostKeyError("not accepted", where=hop.word, kept="nothing was written")
