"""Who keeps the data of each job, and which nodes would notice if somebody else did."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
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


def with_keepers(plan: Plan, cluster: Cluster, known: Mapping[str, str]) -> Plan:
    """The plan of a node, with all of them and those that it does or needs."""
    node = cluster.node(plan.node)
    uses = tuple(job for job in known if needs(node, cluster, job) or does(node, cluster, job))
    return dataclasses.replace(plan, keepers=known, uses=uses)
