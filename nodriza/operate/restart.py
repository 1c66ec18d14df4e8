"""Services begin anew, node after node, as in every change: nothing else of a node is touched.

A mark of the restart is a file that these services follow. So what the engine does for a changed
file it does here: a child takes itself out of rotation and has its health checked before the next
one begins, a restart that a killed run owes is done by the next one, and the history has it.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nodriza.errors import TargetError
from nodriza.plan.plan import Plan, Planned, plan_all
from nodriza.release.plan import followers
from nodriza.resources import File, Health, Service
from nodriza.rollout.run import Run
from nodriza.rollout.waves import roll_out
from nodriza.wording import did_you_mean

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node
    from nodriza.report import Report
    from nodriza.report.result import NodeResult

MARK = "/var/lib/nodriza/restarted"
"""On a node: which restart was the last one."""


def restart(
    cluster: Cluster, nodes: Sequence[Node], unit: str, report: Report, **options: Any
) -> dict[str, NodeResult]:
    """``unit`` on those of the nodes that have it; without one whatever runs the application.

    ``options`` are fields of ``Run``. Raises ``TargetError`` where none of the nodes has it.
    """
    plans = list(_plans(cluster, plan_all(cluster, nodes), unit))
    if not plans:
        raise _nobody(cluster, nodes, unit)
    names = ",".join(plan.node for plan in plans)
    run = Run(cluster, report, {}, f"restart {unit or cluster.app.name} on {names}", **options)
    return roll_out(run, plans)


def _plans(cluster: Cluster, wholes: Sequence[Plan], unit: str) -> Iterator[Plan]:
    mark = Planned(File(MARK, f"{secrets.token_hex(8)}\n"), "fab restart")
    for whole in wholes:
        mine = _own(cluster, whole) if not unit else {unit}
        chosen = [
            dataclasses.replace(each, resource=_anew(each.resource))
            for each in whole.resources
            if isinstance(each.resource, Service)
            and each.resource.running
            and each.resource.unit.removesuffix(".service") in mine
        ]
        if chosen:
            health = (each for each in whole.resources if isinstance(each.resource, Health))
            yield Plan(whole.node, (mark, *chosen, *health))


def _own(cluster: Cluster, whole: Plan) -> set[str]:
    """The units that run the application: a deploy has them too."""
    found = (item for item, _ in followers(cluster, whole))
    return {each.unit.removesuffix(".service") for each in found if isinstance(each, Service)}


def _anew(service: Service) -> Service:
    return dataclasses.replace(service, reload_on=(), restart_on=(f"file:{MARK}",))


def _nobody(cluster: Cluster, nodes: Sequence[Node], unit: str) -> TargetError:
    names = ", ".join(node.name for node in nodes[:3]) + (", …" if len(nodes) > 3 else "")
    units = {
        each.resource.unit.removesuffix(".service")
        for plan in plan_all(cluster, nodes)
        for each in plan.resources
        if isinstance(each.resource, Service) and each.resource.running
    }
    what = f"no service {unit} on {names}{did_you_mean(unit, units)}"
    return TargetError(
        what if unit else f"nothing on {names} runs {cluster.app.name}",
        kept="nothing was touched",
        do=f"choose from {', '.join(sorted(units))}",
    )
