"""fab run, fab logs, fab console"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoke import Context, Exit

from .kinds import FromOne, Nodes, Since, Text, Unit
from .refusal import refusal
from .session import command, reachable_cluster, redactor, sudo_password

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodriza.inventory import Cluster
    from nodriza.ssh.commands import Everywhere


@command(
    subject="target",
    connects=True,
    help={
        "line": "what to run, in quotes; for one node it reads what is piped or < FILE",
        "sudo": "as root, where the log-in is somebody else",
        "raw": "of one node: its output to stdout byte for byte, as for a dump",
        "json": "as data, when all have ended",
        "serial": "one node after the other; the first failure is the last",
    },
)
def run(
    c: Context,
    line: Text,
    target: Nodes = "",
    sudo: bool = False,
    raw: bool = False,
    json: bool = False,
    serial: bool = False,
) -> None:
    """Run a shell command on nodes side by side: run:server-n "uptime"."""
    import sys

    from nodriza.inventory import resolve_target
    from nodriza.ssh.commands import Everywhere

    from . import pipes

    cluster = reachable_cluster(c, target)
    nodes = resolve_target(cluster, target)
    _refuse_target_as_line(cluster, line, target)
    if raw:
        pipes.refuse_raw(len(nodes), json=json)
    if len(nodes) > 1:
        pipes.refuse_for_many(len(nodes))
    commands = dict.fromkeys((node.name for node in nodes), line)
    options: dict[str, Any] = {
        "sudo": sudo,
        "sudo_password": sudo_password(c),
        "stdin": pipes.given() if len(nodes) == 1 else None,
    }
    if serial and len(nodes) > 1:
        _in_turns(cluster, commands, options, json=json)
        return
    if raw:
        from nodriza.ssh.raw_command import Raw

        going: Everywhere = Raw(cluster, commands, out=sys.stdout.buffer, **options)
    else:
        going = Everywhere(cluster, commands, **options)
    _show(going, redactor(cluster), raw=raw, json=json)
    if going.stopped_by_hand:
        raise Exit(code=130)
    if len(nodes) > 1 and pipes.waiting():
        raise Exit("what came on stdin went to no node: it is for one", code=1)
    if any(end.exit for end in going.ended.values()):
        raise Exit(code=1)


def _in_turns(
    cluster: Cluster, commands: dict[str, str], options: dict[str, Any], *, json: bool
) -> None:
    """Each node when the one before it has ended well."""
    from nodriza.ssh.commands import Everywhere

    left = list(commands)
    while left:
        name = left.pop(0)
        going = Everywhere(cluster, {name: commands[name]}, **options)
        _show(going, redactor(cluster), raw=False, json=json)
        if not going.stopped_by_hand and not (going.ended[name].exit or going.ended[name].error):
            continue
        rest = f"\n  kept: it was not run on {', '.join(left)}" if left else ""
        then = f"\n  next: fab run:{','.join([name, *left])} --serial …" if left else ""
        code = 130 if going.stopped_by_hand else 1
        raise Exit(f"{name} was the last one{rest}{then}", code=code)


def _refuse_target_as_line(cluster: Cluster, line: str, target: str) -> None:
    """``fab run server-2``: the command was forgotten, and would be tried on all nodes."""
    if not target and line in {node.name for node in cluster.nodes}:
        raise refusal(f"what shall {line} run?", f"fab run:{line} 'COMMAND'")


def _show(going: Everywhere, redact: Callable[[str], str], *, raw: bool, json: bool) -> None:
    """What the nodes say, as it comes, and how each of them ended."""
    import json as js
    import sys

    from nodriza.report.clean import Output
    from nodriza.report.words import duration
    from nodriza.ssh.commands import Kept

    out = Output(sys.stderr if raw else sys.stdout, redact)
    kept = {name: Kept() for name in going.commands}
    width = max(map(len, going.commands))
    for heard in going.lines():
        if heard and json:
            kept[heard[0]].add(out.redacted(heard[1]))
        elif heard:
            out.line(f"{heard[0]:<{width}} | {heard[1]}")
    ended = {name: going.ended[name] for name in going.commands}
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
    unit: Unit = "",
    since: Since = "",
    lines: FromOne = 200,
    follow: bool = False,
    json: bool = False,
) -> None:
    """Print the logs of all nodes merged by time: journals, and nginx's files."""
    import sys
    import time

    from nodriza.inventory import resolve_target
    from nodriza.plan.plan import plan_all
    from nodriza.report.clean import Output
    from nodriza.watch import logs as engine

    wish = engine.Wish(unit, engine.since(since, time.time()), lines, follow)
    cluster = reachable_cluster(c, target)
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
    import sys

    from invoke.exceptions import UnexpectedExit

    from nodriza.errors import TargetError
    from nodriza.inventory import resolve_target
    from nodriza.ssh.connection import connect

    cluster = reachable_cluster(c, target)
    found = resolve_target(cluster, target)
    if len(found) != 1:
        names = ", ".join(each.name for each in found)
        raise TargetError(f"one node at a time: {target} is {names}", kept="nothing was done")
    if not sys.stdin.isatty():
        raise refusal(
            "console is for people at a terminal", f"fab run:{target} 'COMMAND' reads a pipe"
        )
    with connect(found[0], cluster) as connection:
        try:
            connection.shell()
        except UnexpectedExit as error:  # the last command of a shell is nobody's failure
            raise Exit(code=error.result.exited) from None
