"""Bring nodes to what their roles ask for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nodriza.change.drain import newcomers
from nodriza.change.switch import Stragglers
from nodriza.plan.keepers import whole
from nodriza.plan.offers import does
from nodriza.plan.plan import Plan, plan_all
from nodriza.release.record import question
from nodriza.release.secrets import refuse_unset
from nodriza.release.variables import tried_first
from nodriza.rollout.run import Run
from nodriza.rollout.waves import roll_out

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node
    from nodriza.report import Report
    from nodriza.report.result import NodeResult
    from nodriza.vault.store import Vault


def provision(
    cluster: Cluster,
    nodes: Sequence[Node],
    vault: Vault,
    report: Report,
    *,
    check: bool = False,
    **options: Any,
) -> dict[str, NodeResult]:
    """Plan everything first, so that a mistake anywhere touches no host; then go.

    ``options`` are fields of ``Run``. A check works with throw-away values for secrets
    that do not exist yet, and keeps none of them.
    """
    if cluster.tls.mode == "files" and any(does(node, cluster, "web") for node in nodes):
        from nodriza.change.certificate import refuse_bad_pair  # noqa: PLC0415  slow to load

        refuse_bad_pair(cluster, vault)
    if cluster.backup:
        from nodriza.backup.secrets import refuse_without  # noqa: PLC0415  as above

        refuse_without(cluster, vault)
    plans = whole(cluster, (tried_first(cluster, plan) for plan in plan_all(cluster, nodes)))
    refuse_unset(cluster, vault)
    names = set().union(*(plan.secrets for plan in plans))
    values = vault.ensure(names, keep=not check)
    names_of = [node.name for node in nodes]
    what = "provision" + ("" if len(nodes) == len(cluster.nodes) else f":{','.join(names_of)}")

    behind = Stragglers(cluster, nodes, report, sudo_password=options.get("sudo_password"))

    def zone(results: dict[str, NodeResult]) -> list[Plan]:
        return [] if check else newcomers(cluster, results)

    waves, asked = (*behind.waves, zone), question(cluster)
    run = Run(cluster, report, values, what, check=check, ask=asked, waves=waves, **options)
    return roll_out(run, plans)
