"""fab env"""

from __future__ import annotations

from invoke import Context

from .kinds import Nodes
from .session import command, current_cluster


@command(
    subject="target",
    reads=True,
    help={
        "target": "one node; without it the first that serves the application",
        "json": "as data",
    },
)
def env(c: Context, target: Nodes = "", json: bool = False) -> None:
    """Show what the application is told, and from where; values of secrets stay hidden."""
    import json as js

    from nodriza.inventory import resolve_target
    from nodriza.plan.offers import servers
    from nodriza.watch.variables import variables

    cluster = current_cluster(c)
    nodes = resolve_target(cluster, target) if target else servers(cluster, "application")[:1]
    found = {node.name: variables(cluster, node) for node in nodes}
    if json:
        rows = {name: [each._asdict() for each in many] for name, many in found.items()}
        print(js.dumps(rows, ensure_ascii=False))
        return
    for name, many in found.items():
        print(f"{cluster.app.name} on {name}")
        for each in many:
            print(f"  {each.name}={each.value}\n      {each.origin}")
