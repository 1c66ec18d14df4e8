"""A node comes, or goes for good."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from nodriza import alive
from nodriza.change.drain import MARK, Results, Rotation, bad
from nodriza.errors import ConnectionFailed, TargetError
from nodriza.inventory import Cluster, Node
from nodriza.inventory.edit import add_node, next_address, remove_node
from nodriza.inventory.kinds import GROWING, KINDS
from nodriza.inventory.places import place
from nodriza.plan.offers import neighbours, servers
from nodriza.plan.plan import Plan, Planned, plan_node
from nodriza.resources import Absent, Command, Health, Mount, Service
from nodriza.resources.mount import unit_name


def add(
    cluster: Cluster, name: str, kind: str, private: str, public: str, memory_mb: int
) -> Cluster:
    """Write a node into the inventory; without an address it gets the next one of its kind."""
    if kind not in GROWING:
        raise TargetError(
            f"a node of the kind {kind} can't be added",
            kept="nothing was written",
            do=", or ".join(f"--kind {each}" for each in GROWING),
        )
    settings: dict[str, Any] = {
        "kind": kind,
        "private": private or next_address(cluster, kind, "private"),
    }
    if public or (cluster.networks.public and KINDS[kind].serves):
        settings["public"] = public or next_address(cluster, kind, "public")
    if memory_mb:
        settings["memory_mb"] = memory_mb
    return add_node(cluster.path, name, settings)


def remove(
    rotation: Rotation, node: Node, provision: Callable[[Cluster, list[Node]], Results]
) -> Results:
    """Drain it, end its work, write it out of the inventory, let the others forget it.

    ``provision`` brings the nodes that know it to what the inventory then says: those that did
    something for it (grants, a part of the share, a way through the firewall), the one that knows
    all, and the name servers. A node that can't be reached goes as well: it may have died.
    """
    cluster = rotation.cluster
    if node.kind not in GROWING:
        raise TargetError(
            f"{node.name} is the {node.kind} node: the others are nothing without it",
            kept="nothing was changed",
        )
    placed = [name for name, each in cluster.services.items() if each.on == node.name]
    if placed:
        raise TargetError(
            f"{node.name} does what others need: {', '.join(placed)}",
            where=place(cluster.path, "services", placed[0]),
            kept="nothing was changed",
            do=f"services/{placed[0]}/on: another node, and fab provision",
        )
    drained = rotation.drain([node]) if node.serves else {}
    if not _goes_on(drained, node):
        return drained
    if not bad(drained):
        if node.serves and cluster.rollout.pause:
            alive.sleep(cluster.rollout.pause, "until load balancers have seen it")
        ended = rotation.run(f"node.remove {node.name}", [last_plan(node, cluster)])
        if not _goes_on(ended, node):
            return ended
    left = remove_node(cluster.path, node.name)
    rotation.say(f"{node.name} is no more in {cluster.path.name}")
    served = {each.name for each in neighbours(node, cluster)}
    know_it = {*served, left.builder.name, *(each.name for each in servers(left, "names"))}
    return provision(left, [each for each in left.nodes if each.name in know_it])


def _goes_on(results: Results, node: Node) -> bool:
    """All is well, or the node itself is dead."""
    return all(
        not result.bad or (name == node.name and isinstance(result.error, ConnectionFailed))
        for name, result in results.items()
    )


def last_plan(node: Node, cluster: Cluster) -> Plan:
    """All that it does for the cluster ends, the last to start first; ``Service.stays`` stays.

    A worker that is connected to the broker would go on taking tasks, and the database would have
    a stranger on its lines.
    """
    planned = plan_node(node, cluster).resources
    off, end = [], []
    for it in reversed(planned):
        if isinstance(it.resource, Service) and it.resource.running and not it.resource.stays:
            unit = it.resource.unit
            off.append(Planned(Service(unit, enabled=False, running=False), it.origin))
        elif isinstance(it.resource, Mount):
            mount = unit_name(it.resource.path, "mount")
            unless = ("sh", "-c", '! systemctl is-active --quiet "$1"', "sh", mount)
            stop = Command("share", argv=("systemctl", "stop", mount), unless=unless)
            end.append(Planned(stop, it.origin))
        elif isinstance(it.resource, Health):
            # Whoever brings it back one day wants it in rotation.
            end.append(Planned(Absent(MARK), it.origin))
    return Plan(node.name, (*off, *end))


def farewell(node: Node, cluster: Cluster) -> Iterator[str]:
    """What a person has to see to, because no command can."""
    yield f"{node.name} gets no visitors, no files and no data any more. To do:"
    yield f"  switch it off ({node.ssh.host or node.private}), and erase its disk: it has secrets"
    yield "  it knew the passwords: fab secrets.rotate, unless you know where it has been"
    if not servers(cluster, "names") and node.serves:
        yield f"  take {node.web_address} out of the DNS records of {cluster.domain}"
    yield f"  another host that gets its name: fab hostkeys.accept {node.name} --replace"
