"""fab manage, fab shell, fab dbshell"""

from __future__ import annotations

import shlex

from invoke import Context

from .kinds import Nodes, Text
from .refusal import refusal
from .remote import go
from .session import command, reachable_cluster

TARGET = "one node; without it the first that serves the application"


@command(
    subject="target",
    connects=True,
    help={"line": 'manage.py\'s words, in quotes: "createsuperuser"', "target": TARGET},
)
def manage(c: Context, line: Text, target: Nodes = "") -> None:
    """Run manage.py of the release that serves: manage "showmigrations"."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise refusal(f"manage.py's words can't be read: {error}", "close every quote") from None
    _manage(c, target, words)


@command(subject="target", connects=True, help={"target": TARGET})
def shell(c: Context, target: Nodes = "") -> None:
    """Open Django's shell in the release that serves."""
    _manage(c, target, ["shell"])


@command(connects=True)
def dbshell(c: Context) -> None:
    """Open the database's own shell where the database is, as its administrator."""
    from nodriza.operate import database

    cluster = reachable_cluster(c)
    node, dump = database.place(cluster)
    go(c, cluster, node, lambda _: dump.client)


def _manage(c: Context, target: str, words: list[str]) -> None:
    from nodriza.operate import program

    cluster = reachable_cluster(c, target)
    node = program.node_for(cluster, target)
    argv = ["manage.py", *words]
    go(c, cluster, node, lambda terminal: program.script(cluster, argv, terminal=terminal))
