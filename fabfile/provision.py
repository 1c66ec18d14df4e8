"""fab provision"""

from __future__ import annotations

import sys

from invoke import Context, Exit

from .kinds import WAIT, FromNought, FromOne, Moved, Nodes, Serial
from .session import command, fab, reachable_cluster, sudo_password, vault


@command(
    subject="target",
    connects=True,
    help={
        "target": "nodes: a name, several with commas, server-n (every child), a kind",
        "check": "change nothing, say what would change",
        "diff": "show how files change; secrets stay hidden",
        "json": "one JSON object per event, for machines",
        "parallel": "how many nodes at once",
        "serial": "how many children that serve change at a time: 2, or 25%",
        "max_failures": "how many of them may fail before the others are left alone",
        "wait": WAIT,
        "moved": "services whose data you have moved: database, or several with commas",
    },
)
def provision(
    c: Context,
    target: Nodes = "",
    check: bool = False,
    diff: bool = False,
    json: bool = False,
    parallel: FromOne = 32,
    serial: Serial = "",
    max_failures: FromNought = -1,
    wait: FromNought = 0,
    moved: Moved = "",
) -> None:
    """Bring nodes to what the inventory asks for: all of them, or provision:TARGET."""
    from nodriza.inventory import resolve_target
    from nodriza.inventory.doubts import doubts
    from nodriza.ssh.connection import Connections

    cluster = reachable_cluster(c, target)
    nodes = resolve_target(cluster, target)
    for line in doubts(cluster):
        print(line, file=sys.stderr)
    with Connections(cluster) as connections:
        connections.begin(nodes[:parallel])
        # The hosts answer while the rest is loaded, and the plan is made.
        from nodriza.change.provision import provision as bring
        from nodriza.report import make_report
        from nodriza.rollout.waves import exit_code

        store = vault(cluster)
        again = f"{fab(c)} provision:{{node}}"
        report = make_report(
            "json" if json else "auto", diff=diff, again=again, redact=store.redact
        )
        results = bring(
            cluster,
            nodes,
            store,
            report,
            check=check,
            diff=diff,
            parallel=parallel,
            serial=serial,
            max_failures=None if max_failures < 0 else max_failures,
            wait=wait,
            moved=frozenset(moved.split(",")) - {""},
            sudo_password=sudo_password(c),
            connections=connections,
        )
    if code := exit_code(results):
        raise Exit(code=code)
