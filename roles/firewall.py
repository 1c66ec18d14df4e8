"""firewall: each port is open to those who need it, and to nobody else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from nodriza.inventory import Cluster, Node
from nodriza.render import Template, template
from nodriza.resources import Package, Resource, Service

# A role that listens, and where.
PRIVATE = {
    "mysql": ("3306",),
    "redis": ("6379",),
    "nfs_server": ("2049",),  # NFSv4 needs nothing else: no portmapper, no mountd
    "glusterfs_server": ("24007", "49152-49251"),  # glusterd, and the bricks (glusterd.vol)
}
PUBLIC = {
    "nginx": ("80", "443"),
}


def firewall(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """nftables: drops what comes in uninvited; what goes out is free.

    Private services answer the private addresses of the other nodes, at the private
    address only. Nothing here cuts a connection that is already there.
    """
    yield Package("nftables")
    rules = template(
        "firewall/nftables.conf.j2",
        to="/etc/nftables.conf",
        # 22 stays open also when the inventory names another port: behind an address
        # translation that is not where sshd listens.
        ssh_ports=sorted({22, node.ssh.port}),
        neighbours=[other.private for other in cluster.nodes if other.name != node.name],
        private_ports=_ports(PRIVATE, node),
        public_ports=_ports(PUBLIC, node),
    )
    yield rules
    yield Service("nftables", reload_on=(rules,), check=("nft", "-c", "-f", "/etc/nftables.conf"))


def _ports(of: Mapping[str, Sequence[str]], node: Node) -> list[str]:
    return [port for role, ports in of.items() if role in node.roles for port in ports]
