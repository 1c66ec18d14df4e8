"""One command on one node as if it ran here: its terminal, its bytes, its exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from invoke import Context, Exit

from . import pipes
from .session import redactor, sudo_password

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node


def go(c: Context, cluster: Cluster, node: Node, script: Callable[[bool], str]) -> None:
    """Run it as root; ``script`` makes it, for a terminal or for pipes. Ends with its exit code.

    A terminal is one where a person both types and reads. Into a file or a pipe goes what the
    command prints, byte for byte.
    """
    if sys.stdin.isatty() and sys.stdout.isatty():
        code = _typed(c, cluster, node, script(True))
    else:
        code = _piped(c, cluster, node, script(False))
    if code:
        raise Exit(code=code)


def _typed(c: Context, cluster: Cluster, node: Node, script: str) -> int:
    from nodriza import alive
    from nodriza.ssh.terminal import at_terminal

    with alive.hushed():
        return at_terminal(node, cluster, script, sudo=True, sudo_password=sudo_password(c))


def _piped(c: Context, cluster: Cluster, node: Node, script: str) -> int:
    from nodriza.report.clean import Output
    from nodriza.ssh.commands import Everywhere
    from nodriza.ssh.raw_command import Raw

    raw = not sys.stdout.isatty()
    options: dict[str, Any] = {
        "sudo": True,
        "sudo_password": sudo_password(c),
        "stdin": pipes.given(),
    }
    commands = {node.name: script}
    going = (
        Raw(cluster, commands, out=sys.stdout.buffer, **options)
        if raw
        else Everywhere(cluster, commands, **options)
    )
    out = Output(sys.stderr if raw else sys.stdout, redactor(cluster))
    for heard in going.lines():
        if heard:
            out.line(heard[1])
    if going.stopped_by_hand:
        return 130
    end = going.ended[node.name]
    if end.error:
        raise end.error
    return end.exit
