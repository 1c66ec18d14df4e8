"""Addresses that the cluster shuts out: ``blocked`` of the inventory, which says it for good.

The inventory is written first. Then each node gets what that changes in its plan, and nothing else
of it: whatever role it may be that reads ``blocked``.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Any

from nodriza.errors import TargetError
from nodriza.inventory.edit_list import add_entry, remove_entry
from nodriza.plan.plan import Plan, Planned, plan_all
from nodriza.resources import Service
from nodriza.rollout.run import Run
from nodriza.rollout.waves import roll_out
from nodriza.ssh.commands import Everywhere

if TYPE_CHECKING:
    from nodriza.inventory import Cluster
    from nodriza.report import Report
    from nodriza.report.result import NodeResult

FOLLOWS = ("reload_on", "restart_on")


def block(cluster: Cluster, address: str, report: Report, **options: Any) -> dict[str, NodeResult]:
    """Write it into the inventory and shut it out; ``options`` are fields of ``Run``.

    Raises ``InventoryError`` for the cluster's own addresses, and ``TargetError`` for the one from
    which this is asked for.
    """
    if whole := _within(cluster, address):
        part = f", as a part of {whole}" if whole != address else ""
        raise TargetError(f"{address} is blocked already{part}", kept="nothing was changed")
    network = IPv4Network(address)
    for name, seen in _we(cluster, options.get("sudo_password")):
        if seen in network:
            raise TargetError(
                f"{seen} is what {name} sees you as: you would shut yourself out",
                kept="nothing was changed",
            )
    return _apply(cluster, add_entry(cluster.path, "blocked", address), report, address, options)


def unblock(
    cluster: Cluster, address: str, report: Report, **options: Any
) -> dict[str, NodeResult]:
    """Take it out of the inventory and let it in again."""
    if address not in cluster.blocked:
        whole = _within(cluster, address)
        raise TargetError(
            f"{address} is blocked as a part of {whole}" if whole else f"{address} is not blocked",
            kept="nothing was changed",
            do=f"fab unblock {whole}, and fab block what is to stay out" if whole else "fab block",
        )
    left = remove_entry(cluster.path, "blocked", address)
    return _apply(cluster, left, report, address, options)


def _within(cluster: Cluster, address: str) -> str:
    network = IPv4Network(address)
    return next((each for each in cluster.blocked if network.subnet_of(IPv4Network(each))), "")


def _we(cluster: Cluster, sudo_password: str | None) -> Iterator[tuple[str, IPv4Address]]:
    """Each node that answers, and the address that our connection has there (ssh(1))."""
    ask = dict.fromkeys((node.name for node in cluster.nodes), 'echo "$SSH_CONNECTION"')
    asked = Everywhere(cluster, ask, sudo=False, sudo_password=sudo_password, deadline=30)
    for heard in asked.lines():
        words = heard[1].split() if heard else []
        if heard and words:
            try:
                yield heard[0], IPv4Address(words[0].removeprefix("::ffff:"))
            except ValueError:
                continue


def _apply(
    before: Cluster, after: Cluster, report: Report, address: str, options: dict[str, Any]
) -> dict[str, NodeResult]:
    # What is loaded anew does not know the way into a lab.
    after = before.model_copy(update={"blocked": after.blocked})
    word = "block" if address in after.blocked else "unblock"
    plans = list(differences(before, after))
    return roll_out(Run(after, report, {}, f"{word} {address}", **options), plans)


def differences(before: Cluster, after: Cluster) -> Iterator[Plan]:
    """Of each node what its plan has anew, and the services that read it."""
    old = plan_all(before, before.nodes)
    for was, is_ in zip(old, plan_all(after, after.nodes), strict=True):
        known = {each.resource.id: each.resource for each in was.resources}
        anew = {
            each.resource.id
            for each in is_.resources
            if known.get(each.resource.id) != each.resource
        }
        mine = tuple(each for each in is_.resources if _concerns(each, anew))
        if mine:
            yield Plan(is_.node, mine)


def _concerns(planned: Planned, anew: set[str]) -> bool:
    resource = planned.resource
    followed = {id for field in FOLLOWS for id in getattr(resource, field, ())}
    return resource.id in anew or (isinstance(resource, Service) and bool(followed & anew))
