"""fab plan, fab render"""

from __future__ import annotations

from pathlib import Path

from invoke import Context

from .kinds import Folder, Nodes
from .output import width
from .session import command, current_cluster


@command(subject="target", reads=True, help={"json": "the whole plan as data"})
def plan(c: Context, target: Nodes = "", json: bool = False) -> None:
    """Print what each node shall be, resource by resource; no host is asked."""
    import json as js

    from nodriza.inventory import resolve_target
    from nodriza.plan.plan import plan_all

    cluster = current_cluster(c)
    plans = plan_all(cluster, resolve_target(cluster, target))
    if json:
        print(js.dumps({plan.node: plan.to_data() for plan in plans}))
        return
    columns = width()
    for each in plans:
        lines = [f"{each.node}: {len(each.resources)} resources"]
        for planned in each.resources:
            id, origin = planned.resource.id, planned.origin
            narrow = columns < 63 + len(origin)
            lines.append(f"  {id}\n      {origin}" if narrow else f"  {id:<60} {origin}")
        print("\n".join(lines))  # a node at a time: what watches the output costs for each write


@command(subject="target", local=True, help={"output": "the folder to write to"})
def render(c: Context, target: Nodes = "", output: Folder = "rendered") -> None:
    """Write every file of every node to a folder, secrets as tokens; no host is asked."""
    from nodriza.inventory import resolve_target
    from nodriza.plan.plan import plan_all
    from nodriza.resources import File

    cluster = current_cluster(c)
    count = 0
    for each in plan_all(cluster, resolve_target(cluster, target)):
        for planned in each.resources:
            if isinstance(planned.resource, File):
                path = Path(output) / each.node / planned.resource.path.lstrip("/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(planned.resource.data)
                count += 1
    print(f"{count} files in {output}/")
