"""fab status"""

from __future__ import annotations

from invoke import Context, Exit

from .session import command, reachable_cluster, sudo_password


@command(target=True, help={"target": "nodes, as in provision", "json": "as data"})
def status(c: Context, target: str = "", json: bool = False) -> None:
    """Show every node on one screen: services, mounts, release, disk, last run."""
    from nodriza import status as engine
    from nodriza.inventory import resolve_target

    cluster = reachable_cluster(c)
    nodes = resolve_target(cluster, target)
    results = engine.look(cluster, nodes, sudo_password=sudo_password(c))
    print(engine.as_json(results)) if json else engine.show(cluster, results)
    if any(not engine.healthy(result) for result in results.values()):
        raise Exit(code=1)
