"""What an inventory makes, in a few lines however large the cluster is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nodriza.inventory.kinds import KINDS
from nodriza.inventory.load import short_path
from nodriza.inventory.model import Cluster, Node

if TYPE_CHECKING:
    from nodriza.plan.plan import Plan

_NAMES = 3  # of a kind, when there are more


def summary(cluster: Cluster, plans: Sequence[Plan]) -> list[str]:
    """Nodes by kind with their resources and roles, and the secrets; for people."""
    count = {plan.node: len(plan.resources) for plan in plans}
    total = sum(count.values())
    nodes = _many(len(cluster.nodes), "node")
    lines = [
        f"{short_path(cluster.path)} is right",
        f"  {cluster.name} serves {' '.join(cluster.names)}: {nodes}, {_many(total, 'resource')}",
    ]
    for kind in KINDS:
        for roles, same in _alike(cluster.nodes_of(kind)).items():
            sizes = sorted({count[node.name] for node in same})
            each = f"{sizes[0]} to {sizes[-1]}" if len(sizes) > 1 else str(sizes[0])
            behind = " each" if len(same) > 1 else ""
            lines.append(f"  {kind:<7} {_names(same)}: {each} resources{behind}")
            lines.append(f"          {' '.join(roles)}")
    placed = {name: _names(cluster.nodes_doing(name)) for name in cluster.services}
    where = [f"{name}: {each.engine} on {placed[name]}" for name, each in cluster.services.items()]
    lines += [f"  services {where[0]}", *(f"           {each}" for each in where[1:])]
    secrets = sorted(set().union(*(plan.secrets for plan in plans)))
    if secrets:
        lines.append(f"  secrets {', '.join(secrets)}")
    return lines


def _alike(nodes: Sequence[Node]) -> dict[tuple[str, ...], list[Node]]:
    """By their roles."""
    found: dict[tuple[str, ...], list[Node]] = {}
    for node in nodes:
        found.setdefault(node.roles, []).append(node)
    return found


def _names(nodes: Sequence[Node]) -> str:
    names = [node.name for node in nodes]
    if len(names) <= _NAMES + 1:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMES])}, … {names[-1]} ({len(names)})"


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
