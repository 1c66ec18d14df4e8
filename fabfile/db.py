"""fab db.dump, fab db.load"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from invoke import Context, Exit

from nodriza.errors import NodrizaError

from . import pipes
from .refusal import refusal
from .session import command, fab, reachable_cluster, redactor, sudo_password

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node
    from nodriza.operate.database import Loading, Saving

UNSEEN = """  kept: all tables of before; or, if the whole file had arrived and was right, all of
        the file's, and never some of both
  next: {0} dbshell shows which; when the host is there again, the same command does it anew"""
"""What a line that breaks leaves."""


@command(reads=True, connects=True)
def dump(c: Context) -> None:
    """Print all that the database holds, as SQL: db.dump > FILE."""
    from nodriza.operate import database

    cluster = reachable_cluster(c)
    node, words = database.place(cluster)
    if sys.stdout.isatty():
        raise refusal(
            "a dump is for a file or a pipe", f"{fab(c)} db.dump > FILE, or | gzip > FILE"
        )
    plain = database.Plain(sys.stdout.buffer)
    options: dict[str, Any] = {"sudo_password": sudo_password(c)}
    code = _follow(cluster, node, database.Saving(cluster, node, words, plain, **options))
    why = f"the dump ended with {code}" if code else plain.finish(words.end)
    if why:
        raise Exit(
            f"{plain.why or why}\n"
            "  kept: the database is as it was; what was written is no whole dump, and db.load"
            f" refuses it\n  next: {fab(c)} db.dump again",
            code=130 if code == 130 else 1,
        )
    print(f"{database.amount(plain.size)} of SQL, whole", file=sys.stderr)


@command(connects=True, help={"replace": "also if the database has tables; these are gone then"})
def load(c: Context, replace: bool = False) -> None:
    """Fill the database from a dump, plain or gzip's: db.load < FILE."""
    from nodriza.operate import database

    cluster = reachable_cluster(c)
    node, words = database.place(cluster)
    stdin = pipes.given()
    if stdin is None:
        raise refusal("what shall be loaded?", f"{fab(c)} db.load < FILE")
    options: dict[str, Any] = {"sudo_password": sudo_password(c)}
    tables = database.tables(cluster, node, words, **options)
    if tables and not replace:
        raise Exit(
            f"the database on {node.name} has {tables} tables\n  kept: nothing was changed\n"
            f"  next: {fab(c)} db.dump > BEFORE, then {fab(c)} db.load --replace < FILE",
            code=1,
        )
    going = database.Loading(cluster, node, words, stdin, **options)
    try:
        code = _follow(cluster, node, going)
    except NodrizaError as error:
        raise Exit(f"{error.where}: {error.what}\n{UNSEEN.format(fab(c))}", code=1) from None
    if code or going.why:
        again = f"{fab(c)} db.load{' --replace' if replace else ''} < FILE"
        raise Exit(
            f"{going.why or 'the database did not take it, as its words above say'}\n"
            f"  kept: the database has the tables of before, all of them\n  next: {again}",
            code=130 if code == 130 else 1,
        )
    print(f"{database.amount(going.size)} of SQL are the database now", file=sys.stderr)
    if tables:
        print(
            f"its {tables} tables of before are gone; sessions and caches may be of before:"
            f" {fab(c)} cache.clear",
            file=sys.stderr,
        )


def _follow(cluster: Cluster, node: Node, going: Saving | Loading) -> int:
    """Its exit code; what the node says of it goes to stderr."""
    from nodriza.report.clean import Output

    out = Output(sys.stderr, redactor(cluster))
    for heard in going.lines():
        if heard:
            out.line(f"{node.name} | {heard[1]}")
    if going.stopped_by_hand:
        return 130
    end = going.ended[node.name]
    if end.error:
        raise end.error
    return end.exit
