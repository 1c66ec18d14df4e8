"""fab demo"""

from __future__ import annotations

from invoke import Context, Exit

from .output import say
from .session import command, current_cluster, current_path, vault


@command(local=True)
def demo(c: Context) -> None:
    """Lab, provision, deploy, smoke test: the whole cluster from nothing on this computer."""
    from nodriza.demo import run_demo

    current_cluster(c)  # its mistakes are told before anything is said
    if not run_demo(current_path(c), vault, say):
        raise Exit(code=1)
