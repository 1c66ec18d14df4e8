"""firewall: each port is open to those who need it, and to nobody else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from nodriza.role import (
    Cluster,
    Command,
    Node,
    Package,
    Peers,
    Resource,
    Service,
    Template,
    doors,
    public,
    template,
)

SHOWN = False


def firewall(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """nftables: drops what comes in uninvited; what goes out is free.

    What a role offers is open to the private addresses of those nodes that need it, at the
    private address only, or to everybody. Nothing here cuts a connection that is already there.
    Variable ``needs``: jobs of other nodes that a node uses besides, such as [database].
    """
    found, offers = doors(node, cluster), public(node, cluster)
    yield Package("nftables")
    rules = template(
        "firewall/nftables.conf.j2",
        to="/etc/nftables.conf",
        # 22 stays open also when the inventory names another port: behind an address
        # translation that is not where sshd listens.
        ssh_ports=sorted({22, node.ssh.port}),
        doors=found,
        limited=[port for offer in offers if offer.limited for port in offer.ports],
        unlimited=[offer for offer in offers if not offer.limited],
        match=match,
    )
    yield rules
    # The service is a start at boot and nothing that runs: after a "nft flush ruleset" by
    # hand it is as active as before.
    yield Command(
        "firewall",
        argv=("nft", "-f", rules.path),
        unless=("nft", "list", "table", "inet", "nodriza"),
    )
    yield Service(
        "nftables",
        reload_on=(rules,),
        check=("nft", "-c", "-f", "/etc/nftables.conf"),
        stays=True,  # a host that left is no more open than before
    )
    for door in found:
        yield Peers(door.name, ports=tuple(door.ports), allow=tuple(door.users))


def match(ports: Sequence[str], protocols: Sequence[str]) -> str:
    """The words of nft(8) for packets to these ports."""
    if tuple(protocols) == ("tcp",):
        return f"tcp dport {{ {', '.join(ports)} }}"
    to = ports[0] if len(ports) == 1 else f"{{ {', '.join(ports)} }}"
    return f"meta l4proto {{ {', '.join(protocols)} }} th dport {to}"
