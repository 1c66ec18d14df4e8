"""What the application is told on a node, and where each variable is from. No host is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from nodriza.errors import TargetError
from nodriza.host.env_file import parse_environment
from nodriza.inventory.places import place
from nodriza.plan.offers import told
from nodriza.plan.plan import plan_node
from nodriza.resources import File
from nodriza.vault.token import TOKEN

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node


class Variable(NamedTuple):
    """One of them; ``value`` has a token in the place of each secret."""

    name: str
    value: str
    origin: str


def variables(cluster: Cluster, node: Node) -> list[Variable]:
    """All of a node's, by name. Raises ``TargetError`` for a node without the application."""
    path = cluster.app.environment_file
    resources = (each.resource for each in plan_node(node, cluster).resources)
    files = [each for each in resources if isinstance(each, File) and each.path == path]
    if not files:
        raise TargetError(
            f"{node.name} does not run {cluster.app.name}: it is told nothing",
            kept="nothing was done",
            do=f"fab plan:{node.name} has what it does",
        )
    origins = dict(_origins(cluster, node))
    found = parse_environment(str(files[0].content))
    return [
        Variable(name, TOKEN.sub(r"‹secret:\1›", value), origins.get(name, "nodriza"))
        for name, value in sorted(found.items())
    ]


def _origins(cluster: Cluster, node: Node) -> Iterator[tuple[str, str]]:
    """Of two with one name the later one counts, as in the file."""
    for offer, server, names in told(node, cluster):
        yield from ((name, f"{offer.job}: {offer.name} on {server.name}") for name in names)
    for name in cluster.app.environment:
        yield name, place(cluster.path, "app", "environment", name)
    for name in cluster.app.secrets:
        yield name, f"{place(cluster.path, 'app', 'secrets')}, secrets.set {name.lower()}"
