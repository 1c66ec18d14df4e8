"""A job that is to be done elsewhere, while its data is where it was."""

from __future__ import annotations

from collections.abc import Mapping

from nodriza.errors import HostRefused
from nodriza.inventory import Cluster
from nodriza.inventory.places import place
from nodriza.plan.plan import Plan


def not_moved(cluster: Cluster, plan: Plan, said: Mapping[str, str]) -> HostRefused:
    """``said``: job to who kept its data so far, as the node remembers it."""
    jobs = [job for job in plan.keepers if job in said] or [*said]
    moves = "; ".join(
        f"{job}: {said[job]} has the data, and {plan.keepers.get(job, 'nobody')} is to do it"
        for job in jobs
    )
    return HostRefused(
        f"data would be left behind. {moves}",
        where=f"{plan.node}, {place(cluster.path, 'services', jobs[0])}",
        kept="nothing was changed on this node, and it goes on as before",
        do=f'move the data first (docs/inventory.rst, "Moving a service"), then'
        f" fab provision --moved {','.join(jobs)}",
    )
