"""firewall: each port is open to those who need it, and to nobody else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from nodriza.role import (
    Cluster,
    Command,
    Node,
    Package,
    Peers,
    Resource,
    Service,
    Template,
    template,
)

# A role that listens on the private network, where, and the roles whose nodes need it.
APPLICATION = ("uwsgi", "celery")
PRIVATE: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "mysql": (("3306",), APPLICATION),
    "redis": (("6379", "6380"), APPLICATION),  # the queue, and the cache
    # NFSv4 needs nothing else: no portmapper, no mountd.
    "nfs_server": (("2049",), ("nfs_client",)),
    # glusterd, and the bricks (glusterd.vol).
    "glusterfs_server": (("24007", "49152-49251"), ("glusterfs_client",)),
}


def firewall(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """nftables: drops what comes in uninvited; what goes out is free.

    A private service answers the private addresses of those nodes that have a role which
    needs it, at the private address only. Nothing here cuts a connection that is already
    there. Variable ``needs``: listening roles that a node uses besides, for roles of your
    own, such as [mysql].
    """
    yield Package("nftables")
    rules = template(
        "firewall/nftables.conf.j2",
        to="/etc/nftables.conf",
        # 22 stays open also when the inventory names another port: behind an address
        # translation that is not where sshd listens.
        ssh_ports=sorted({22, node.ssh.port}),
        doors=doors(node, cluster),
        public_ports=public_ports(node, cluster),
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
    for role, ports, users in doors(node, cluster):
        yield Peers(role, ports=tuple(ports), allow=tuple(users))


def doors(node: Node, cluster: Cluster) -> list[tuple[str, list[str], list[str]]]:
    """The listening roles of ``node`` that somebody needs: role, its ports, their addresses."""
    found = []
    for role, (ports, needed_by) in PRIVATE.items():
        if role not in node.roles:
            continue
        users = [
            other.private
            for other in cluster.nodes
            if other.name != node.name and needs(other, cluster) & {role, *needed_by}
        ]
        if users:
            found.append((role, list(ports), users))
    return found


def needs(node: Node, cluster: Cluster) -> set[str]:
    """What makes a node a user of others. Without Celery a video node only mounts."""
    own = set(node.roles) - set(PRIVATE) - (set() if cluster.app.celery else {"celery"})
    return own | set(node.variables.get("needs", ()))


def public_ports(node: Node, cluster: Cluster) -> list[str]:
    """The web's, where nginx is; 443 only when there is something behind it."""
    if "nginx" not in node.roles:
        return []
    return ["80"] if cluster.tls.mode == "none" else ["80", "443"]
