"""Who keeps the data of each job, and which nodes would notice if somebody else did."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING

from nodriza.inventory.services import KEEPING
from nodriza.plan.offers import does, links, needs
from nodriza.plan.plan import Plan

if TYPE_CHECKING:
    from nodriza.inventory import Cluster


def keepers(cluster: Cluster) -> dict[str, str]:
    """Job to "mysql on server-1"."""
    servers = links(cluster).servers
    return {
        job: f"{role} on {node.name}"
        for job in KEEPING
        if len(servers.get(job, ())) == 1
        for node, role, _ in servers[job]
    }


def whole(cluster: Cluster, plans: Iterable[Plan]) -> list[Plan]:
    """Plans that are all that the cluster wants of their nodes, with the keepers of its data.

    The only place that says so of a plan: without the keepers an agent would take every job for
    one that nobody does any more.
    """
    known, found = keepers(cluster), []
    for plan in plans:
        node = cluster.node(plan.node)
        uses = tuple(job for job in known if needs(node, cluster, job) or does(node, cluster, job))
        found.append(dataclasses.replace(plan, whole=True, keepers=known, uses=uses))
    return found
