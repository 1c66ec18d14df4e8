"""fab topology"""

from __future__ import annotations

from pathlib import Path

from invoke import Context

from .kinds import Picture
from .session import command, current_cluster


@command(local=True, help={"output": "the file to write, SVG"})
def topology(c: Context, output: Picture = "topology.svg") -> None:
    """Draw the cluster as a picture: nodes, networks, ports; no host is asked."""
    from nodriza.watch.topology import draw

    Path(output).write_text(draw(current_cluster(c)), "utf-8")
    print(output)
