"""fab node.add, node.remove"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated

from invoke import Context, Exit

from nodriza.inventory.kinds import GROWING, SERVING

from .kinds import WAIT, Address, FromNought, FromOne, Nodes, OneOf, Text
from .output import say
from .session import command, current_cluster, fab, reachable_cluster, sudo_password, vault

if TYPE_CHECKING:
    from nodriza.change.drain import Results
    from nodriza.inventory import Cluster, Node


@command(
    subject="name",
    edits=True,
    help={
        "name": "the new node's",
        "kind": " or ".join(GROWING),
        "private": "its address; default: the next one of its kind",
        "public": "the same in the public network",
        "memory_mb": "MiB; default: the inventory's",
    },
)
def add(
    c: Context,
    name: Text,
    kind: Annotated[str, OneOf(*GROWING)] = SERVING,
    private: Address = "",
    public: Address = "",
    memory_mb: FromOne = 0,
) -> None:
    """Write a node into the inventory, which keeps its comments. Then provision it."""
    from nodriza.change import nodes

    cluster = nodes.add(current_cluster(c), name, kind, private, public, memory_mb)
    node = cluster.node(name)
    at = " and ".join(address for address in (node.private, node.public) if address)
    say(f"{name}: a {kind} at {at}, in {cluster.path.name}")
    first = f"{fab(c)} lab.up; " if cluster.lab else f"{fab(c)} hostkeys.accept {name}; "
    say(f"next: {first}{fab(c)} provision")


@command(
    subject="target",
    connects=True,
    edits=True,
    help={"target": "the node that goes for good", "wait": WAIT},
)
def remove(c: Context, target: Nodes, wait: FromNought = 0) -> None:
    """Drain a node, end its work, write it out of the inventory, take its access away."""
    from nodriza.change import nodes
    from nodriza.change.drain import Rotation
    from nodriza.change.provision import provision
    from nodriza.inventory import resolve_target
    from nodriza.report import make_report
    from nodriza.rollout.waves import exit_code

    cluster = reachable_cluster(c, target)
    store, password = vault(cluster), sudo_password(c)
    (node, *others) = resolve_target(cluster, target)
    if others:
        raise Exit(
            f"{target} is more than one node: remove one at a time\n  kept: nothing was done",
            code=2,
        )
    report = functools.partial(make_report, redact=store.redact)

    def forget(left: Cluster, who: list[Node]) -> Results:
        then = report(again=f"{fab(c)} provision")
        return provision(left, who, store, then, wait=wait, sudo_password=password)

    first = functools.partial(report, again=f"{fab(c)} node.remove {target}")
    results = nodes.remove(Rotation(cluster, first, say, password, wait), node, forget)
    if code := exit_code(results):
        raise Exit(code=code)
    say("\n".join(nodes.farewell(node, cluster)))
