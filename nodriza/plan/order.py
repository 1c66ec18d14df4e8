"""In which order nodes change: whoever does something for others comes before them.

It follows from what roles offer and need (``nodriza.plan.offers``). A job that several nodes do
has no place in it: the others go on while one of them changes.
"""

from __future__ import annotations

import graphlib
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from nodriza.plan.offers import links

if TYPE_CHECKING:
    from nodriza.inventory import Cluster

Before = Mapping[str, Collection[str]]
"""Node to those that change before it."""


def in_order(cluster: Cluster, names: Collection[str]) -> dict[str, set[str]]:
    """Of the nodes ``names``, each after those that it waits for, which stand to its right.

    Of nodes that need each other the one that most nodes need comes first.
    """
    known = links(cluster)
    doing = {job: {node.name for node, _, _ in found} for job, found in known.servers.items()}
    one = {job: next(iter(found)) for job, found in doing.items() if len(found) == 1}
    before = {
        name: {one[job] for job in known.needs[name] if job in one} & set(names) - {name}
        for name in names
    }
    asked = {server for its in before.values() for server in its}
    servers = {name: before[name] & asked for name in names if name in asked}
    while True:
        try:
            first = list(graphlib.TopologicalSorter(servers).static_order())
        except graphlib.CycleError as error:
            circle = set(error.args[1])
            weights = {name: sum(name in its for its in before.values()) for name in circle}
            most = max(circle, key=lambda name: (weights[name], -known.order[name]))
            servers[most] -= circle
            before[most] -= circle
        else:
            break
    return {name: before[name] for name in (*first, *(n for n in names if n not in asked))}
