"""fab run, fab logs, fab console"""

from __future__ import annotations

from invoke import Context, Exit

from .kinds import FromOne, Nodes, Since, Text
from .session import command, reachable_cluster, redactor, sudo_password


@command(
    subject="target",
    connects=True,
    help={
        "line": "what to run, in quotes",
        "sudo": "as root, where the log-in is somebody else",
        "json": "as data, when all have ended",
    },
)
def run(
    c: Context, line: Text, target: Nodes = "", sudo: bool = False, json: bool = False
) -> None:
    """Run a shell command on nodes side by side: run:server-n "uptime"."""
    import json as js
    import sys

    from nodriza.inventory import resolve_target
    from nodriza.remote import Everywhere, Kept
    from nodriza.report.clean import Output
    from nodriza.report.words import duration

    cluster = reachable_cluster(c)
    nodes = resolve_target(cluster, target)
    out = Output(sys.stdout, redactor(cluster))
    commands = dict.fromkeys((node.name for node in nodes), line)
    going = Everywhere(cluster, commands, sudo=sudo, sudo_password=sudo_password(c))
    kept = {name: Kept() for name in commands}
    width = max(map(len, commands))
    for heard in going.lines():
        if heard and json:
            kept[heard[0]].add(out.redacted(heard[1]))
        elif heard:
            out.line(f"{heard[0]:<{width}} | {heard[1]}")
    ended = {name: going.ended[name] for name in commands}
    if json:
        rows = {
            name: {
                "exit": end.exit,
                "seconds": round(end.seconds, 3),
                "lines": kept[name].lines,
                "error": end.error and str(end.error),
            }
            for name, end in ended.items()
        }
        out.line(js.dumps(rows))
    else:
        out.line()
        for name, end in ended.items():
            words = str(end.error) if end.error else f"exit {end.exit}"
            out.line(f"{name:<{width}}  {words} ({duration(end.seconds)})")
    if going.stopped_by_hand:
        raise Exit(code=130)
    if any(end.exit for end in ended.values()):
        raise Exit(code=1)


@command(
    subject="target",
    reads=True,
    connects=True,
    help={
        "unit": "of one service only, such as nginx",
        "since": '15m, 2h, 3d, or "2026-11-21 08:15" in UTC',
        "lines": "at most so many",
        "follow": "go on with what comes; Ctrl-C ends it",
        "json": "one JSON object per line",
    },
)
def logs(
    c: Context,
    target: Nodes = "",
    unit: Text = "",
    since: Since = "",
    lines: FromOne = 200,
    follow: bool = False,
    json: bool = False,
) -> None:
    """Print the logs of all nodes merged by time: journals, and nginx's files."""
    import sys
    import time

    from nodriza import logs as engine
    from nodriza.inventory import resolve_target
    from nodriza.provision import plan_all
    from nodriza.report.clean import Output

    wish = engine.Wish(unit, engine.since(since, time.time()), lines, follow)
    cluster = reachable_cluster(c)
    plans = plan_all(cluster, resolve_target(cluster, target))
    engine.refuse_unit(unit, plans)
    out = Output(sys.stdout, redactor(cluster))
    password = sudo_password(c)
    seen = wrong = False
    for said in engine.merged(cluster, plans, wish, sudo_password=password):
        if isinstance(said, str):
            print(out.redacted(said), file=sys.stderr)
            wrong = True
        else:
            out.line(said.as_json() if json else str(said))
            seen = True
    if not (seen or wrong):
        print(
            f"nothing{f' of {unit}' if unit else ''} in the logs of these nodes", file=sys.stderr
        )
    if wrong:
        raise Exit(code=1)


@command(subject="target", connects=True, interactive=True, help={"target": "its name"})
def console(c: Context, target: Nodes) -> None:
    """Open a shell on a node, known by the same host key as everywhere here."""
    from invoke.exceptions import UnexpectedExit

    from nodriza.connection import connect
    from nodriza.errors import TargetError
    from nodriza.inventory import resolve_target

    cluster = reachable_cluster(c)
    found = resolve_target(cluster, target)
    if len(found) != 1:
        names = ", ".join(each.name for each in found)
        raise TargetError(f"one node at a time: {target} is {names}", kept="nothing was done")
    with connect(found[0], cluster) as connection:
        try:
            connection.shell()
        except UnexpectedExit as error:  # the last command of a shell is nobody's failure
            raise Exit(code=error.result.exited) from None
