"""fab backup, backup.list, backup.verify; fab restore"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke import Context, Exit

from .kinds import Moment, Text
from .output import say
from .session import command, fab, reachable_cluster, redactor, sudo_password

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodriza.inventory import Cluster


@command(default=True, connects=True)
def now(c: Context) -> None:
    """Back up now what the roles of each node want to survive."""
    _start(c, "run")


@command(connects=True)
def verify(c: Context) -> None:
    """Restore the newest backup on trial, beside the data in use, and compare all counts."""
    _start(c, "verify")


@command(name="list", reads=True, connects=True)
def listing(c: Context) -> None:
    """List the backups that there are, with the one that was restored on trial."""
    import time

    from nodriza.backup import made, nodes

    cluster = reachable_cluster(c)
    having = nodes.with_backups(cluster)
    found = nodes.ask(cluster, having, ["list"], made.Listed, sudo_password=sudo_password(c))
    from nodriza.errors import NodrizaError

    bad = [each for each in found.values() if isinstance(each, NodrizaError)]
    if len(bad) < len(found):
        say("\n".join(made.lines(found, time.time())))
    if bad:
        raise Exit("\n".join(map(str, bad)), code=1)


@command(
    connects=True,
    help={
        "at": 'as the data were at a time in UTC: "2026-11-30 21:05:00"',
        "only": "of all that is backed up only this, such as database",
        "replace": "put aside what the cluster has now",
    },
)
def restore(c: Context, at: Moment = "", only: Text = "", replace: bool = False) -> None:
    """Put a backup in the place of what the nodes have: the newest, or as it was at a time."""
    from nodriza.backup.restore import Restore

    cluster = reachable_cluster(c)
    plan = Restore(cluster, at, only, sudo_password=sudo_password(c))
    looks = plan.look()
    for line in plan.words(looks):
        say(line)
    plan.refuse(looks, fab(c), replace=replace)
    for line in plan.run(_show(cluster)):
        say(line)
    say(f"next: {fab(c)} provision, which brings the accounts up to date; {fab(c)} smoke")


def _start(c: Context, word: str) -> None:
    from nodriza.backup import nodes

    cluster = reachable_cluster(c)
    line = nodes.program(cluster, "start", word)
    commands = {node.name: line for node in nodes.making_backups(cluster)}
    ended = nodes.do(cluster, commands, _show(cluster), sudo_password=sudo_password(c))
    if bad := nodes.wrong(ended):
        raise Exit("\n".join(bad), code=1)


def _show(cluster: Cluster) -> Callable[[str, str], None]:
    """What nodes say, a line each, without secrets."""
    redact = redactor(cluster)
    width = max(len(node.name) for node in cluster.nodes)

    def show(node: str, line: str) -> None:
        say(redact(f"{node:<{width}} | {line}"))

    return show
