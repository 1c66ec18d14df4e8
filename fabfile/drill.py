"""fab drill"""

from __future__ import annotations

from invoke import Context, Exit

from .kinds import Nodes
from .output import say
from .session import command, current_cluster, fab, vault


@command(
    local=True,
    help={
        "check": "make nothing, say whether this computer has what it needs",
        "keep": "leave the machines, to look around",
        "down": "take away what --keep has left",
        "only": "of the nodes only these: names or kinds, with commas",
    },
)
def drill(
    c: Context, check: bool = False, keep: bool = False, down: bool = False, only: Nodes = ""
) -> None:
    """Rebuild the cluster from its newest backup, in a lab on this computer with no way out."""
    from nodriza.drill import run as engine
    from nodriza.wording import count

    if down and (check or keep or only):
        raise Exit("--down is a word by itself\n  kept: nothing was done", code=2)
    cluster = current_cluster(c, connects=True)
    if down:
        engine.down(cluster, say)
        return
    rehearsal = engine.DrillRun(cluster, vault(cluster), say, only)
    memory = rehearsal.refuse()
    names = ", ".join(node.name for node in rehearsal.nodes)
    say(f"{count(len(rehearsal.nodes), 'machine')} with {memory} MB of memory: {names}")
    if check:
        say(f"this computer has what it needs. Next: {fab(c)} drill")
        return
    done = rehearsal.run(keep=keep)
    for line in rehearsal.words(done):
        say(line)
    if keep:
        say(f"look around: cd {rehearsal.folder} && fab status; at the end {fab(c)} drill --down")
    if done.failed:
        raise Exit(code=1)
