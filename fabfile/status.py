"""fab status"""

from __future__ import annotations

from invoke import Context, Exit

from .kinds import Nodes
from .session import command, reachable_cluster, sudo_password

PAUSE = 2  # seconds between two looks of --watch


@command(
    subject="target",
    reads=True,
    connects=True,
    help={"json": "as data", "watch": "until Ctrl-C"},
)
def status(c: Context, target: Nodes = "", json: bool = False, watch: bool = False) -> None:
    """Show every node on one screen: services, mounts, release, disk, last run."""
    import sys

    from nodriza.inventory import resolve_target
    from nodriza.watch import drills
    from nodriza.watch import status as engine
    from nodriza.watch.health import healthy, look

    if watch and (json or not sys.stdout.isatty()):
        raise Exit("--watch is for people at a terminal\n  kept: nothing was done", code=2)
    cluster = reachable_cluster(c, target)
    nodes = resolve_target(cluster, target)
    if watch:
        engine.watch(cluster, nodes, PAUSE, sudo_password=sudo_password(c))
        return
    results = look(cluster, nodes, sudo_password=sudo_password(c))
    print(engine.as_json(results)) if json else engine.show(cluster, results)
    remembered = drills.read(cluster.path)
    if not json:
        for line in remembered.words:
            print(line)
    if remembered.wrong or any(not healthy(result) for result in results.values()):
        raise Exit(code=1)
