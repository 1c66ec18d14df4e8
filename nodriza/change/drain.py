"""A child out of rotation and back: for resolvers, then for load balancers.

That it is out is known where it matters: the first name server leaves it out of the zone,
and it says no itself. So it stays out until somebody brings it back, whoever provisions
meanwhile, from whatever inventory.
"""

from __future__ import annotations

import dataclasses
import getpass
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nodriza import alive
from nodriza.errors import Interrupted, TargetError
from nodriza.plan.offers import servers
from nodriza.plan.plan import Plan, Planned, plan_node
from nodriza.resources import Absent, Directory, File, Health, Service, Zone
from nodriza.rollout.run import Run
from nodriza.rollout.waves import roll_out
from nodriza.watch.health import away, look, out_of_rotation

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node
    from nodriza.report import Report
    from nodriza.report.result import NodeResult

Results = dict[str, "NodeResult"]
Names = tuple[str, ...]
MARK = f"{Health.AWAY}/operator"
"""On a child that a person has taken out of rotation."""


@dataclasses.dataclass(frozen=True)
class Rotation:
    """``report`` makes one for each of the two steps; ``say`` tells of the wait between."""

    cluster: Cluster
    report: Callable[[], Report]
    say: Callable[[str], None]
    sudo_password: str | None = None
    wait: float = 0
    """Seconds, as in ``Run``."""

    def drain(self, nodes: Sequence[Node]) -> Results:
        """The zone first; when no resolver believes the old one, the children themselves."""
        refuse_others(self.cluster, nodes, "drain")
        if not servers(self.cluster, "names"):  # the first one would say no itself
            others = [child for child in self.cluster.children if child not in nodes]
            refuse_last(self.ask(others))
        results = self._zone(nodes, out=True)
        if bad(results):
            return results
        if any(_told(result) for result in results.values()):
            ttl = self.cluster.dns.ttl
            self.say(f"waiting {ttl} s: so long resolvers may believe the old answer")
            alive.sleep(ttl, "until no resolver believes the old answer")
        results = {**results, **self._children(nodes, out=True)}
        self._say_who_still_comes(nodes, results, out=True)
        return results

    def undrain(self, nodes: Sequence[Node]) -> Results:
        """The children first: one that is not well does not come back into the zone."""
        refuse_others(self.cluster, nodes, "undrain")
        results = self._children(nodes, out=False)
        well = [node for node in nodes if not results[node.name].bad]
        results = {**results, **(self._zone(well, out=False) if well else {})}
        self._say_who_still_comes(well, results, out=False)
        return results

    def _say_who_still_comes(self, nodes: Sequence[Node], results: Results, *, out: bool) -> None:
        """Where the site's name is somebody else's to serve, the rest is the operator's to do."""
        if not servers(self.cluster, "names") and nodes and not bad(results):
            self.say("\n".join(elsewhere(self.cluster, nodes, out=out)))

    def _zone(self, nodes: Sequence[Node], *, out: bool) -> Results:
        names = tuple(node.name for node in nodes)
        plan = zone_plan(self.cluster, *((names, ()) if out else ((), names)))
        return self._roll_out(nodes, out, [plan]) if plan else {}

    def _children(self, nodes: Sequence[Node], *, out: bool) -> Results:
        return self._roll_out(nodes, out, [self._child(node, out=out) for node in nodes])

    def _child(self, node: Node, *, out: bool) -> Plan:
        if out:
            who = f"{getpass.getuser()} from {socket.gethostname()}\n"
            marks = (Directory(Health.AWAY), File(MARK, who))
            return Plan(node.name, tuple(Planned(each, "fab drain") for each in marks))
        own = plan_node(node, self.cluster).resources
        healths = (planned for planned in own if isinstance(planned.resource, Health))
        # Not the folder: where it is missing there is nothing to bring back.
        return Plan(node.name, (Planned(Absent(MARK), "fab undrain"), *healths))

    def _roll_out(self, nodes: Sequence[Node], out: bool, plans: Sequence[Plan]) -> Results:
        what = f"{'drain' if out else 'undrain'} {','.join(node.name for node in nodes)}"
        return self.run(what, plans)

    def ask(self, nodes: Sequence[Node]) -> Results:
        """How they are; ``facts`` tell which of them are drained."""
        return look(self.cluster, nodes, sudo_password=self.sudo_password)

    def run(self, what: str, plans: Sequence[Plan]) -> Results:
        """A run of its own, for plans without secrets."""
        password = self.sudo_password
        run = Run(self.cluster, self.report(), {}, what, sudo_password=password, wait=self.wait)
        return roll_out(run, plans)


def elsewhere(cluster: Cluster, nodes: Sequence[Node], *, out: bool) -> list[str]:
    """What is still to be done by hand where no node has the role dns."""
    names = ", ".join(node.name for node in nodes)
    sites = (cluster.domain, *cluster.aliases)
    records = "; ".join(f"{site} A {node.web_address}" for site in sites for node in nodes)
    first = f"the name {cluster.domain} is served by no node of this cluster (role dns)"
    if not out:
        return [
            f"{first}, so only load balancers know that {names} is back",
            f"  next: if you have taken them out, give your DNS provider again: {records}",
        ]
    return [
        f"{first}: whoever comes by round-robin DNS still reaches {names}, and is served",
        f"  next: take these out at your DNS provider, and wait for their TTL: {records}",
        "        until then, do not stop it; a load balancer that asks /healthz needs no more",
    ]


def zone_plan(cluster: Cluster, out: Names = (), back: Names = ()) -> Plan | None:
    """The zone and what reads it, on the first name server; ``None`` where there is none."""
    if not servers(cluster, "names"):
        return None
    first = servers(cluster, "names")[0]
    zones, follow = [], []
    for planned in plan_node(first, cluster).resources:
        it = planned.resource
        if isinstance(it, Zone):
            zones.append(Planned(dataclasses.replace(it, out=out, back=back), planned.origin))
        elif isinstance(it, Service) and {z.resource.id for z in zones} & {*it.reload_on}:
            follow.append(planned)
    return Plan(first.name, (*zones, *follow))


def newcomers(cluster: Cluster, results: Results) -> list[Plan]:
    """The zone once more, after children that did not serve before the run have come up."""
    children = [results[child.name] for child in cluster.children if child.name in results]
    well = [
        event
        for result in children
        if not (result.bad or result.away)
        for event in result.resources
        if event["id"].startswith("health:") and event["status"] == "changed"
    ]
    plan = zone_plan(cluster) if well else None
    return [plan] if plan else []


def refuse_others(cluster: Cluster, nodes: Sequence[Node], word: str) -> None:
    """Raises ``TargetError`` for nodes that no visitor is sent to, and for all children."""
    others = [node.name for node in nodes if not node.serves]
    if others:
        raise TargetError(
            f"{', '.join(others)}: only children have visitors to lose",
            kept="nothing was changed",
            do=f"fab {word} {cluster.children[0].name}" if cluster.children else "",
        )
    if word == "drain" and len(nodes) == len(cluster.children):
        raise TargetError("that would leave nobody to serve", kept="nothing was changed")


def refuse_last(others: Results) -> None:
    """Raises ``TargetError`` when visitors are sent to none of the other children."""
    for result in others.values():
        if isinstance(result.error, Interrupted):
            raise result.error
    out = {name: out_of_rotation(result) for name, result in others.items()}
    if not all(out.values()):
        return
    back = next((name for name, result in others.items() if "operator" in away(result)), "")
    raise TargetError(
        "no child would be in rotation; " + "; ".join(f"{n}: {words}" for n, words in out.items()),
        kept="nothing was changed",
        do=f"bring one back first: fab undrain {back}" if back else "fab status:server-n",
    )


def bad(results: Results) -> bool:
    """Whether anything went wrong anywhere."""
    return any(result.bad for result in results.values())


def _told(result: NodeResult) -> bool:
    zones = (event for event in result.resources if event["id"].startswith("zone:"))
    return any(event["status"] == "changed" for event in zones)
