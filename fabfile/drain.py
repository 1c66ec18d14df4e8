"""fab drain, fab undrain"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from invoke import Context, Exit

from .kinds import WAIT, FromNought, Nodes
from .output import say
from .session import command, fab, reachable_cluster, sudo_password, vault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodriza.change.drain import Rotation
    from nodriza.inventory import Node
    from nodriza.report.result import NodeResult

TARGET = {"target": "children, as in provision", "wait": WAIT}


@command(subject="target", connects=True, help=TARGET)
def drain(c: Context, target: Nodes, wait: FromNought = 0) -> None:
    """Take children out of rotation: DNS, then what load balancers are told. It lasts."""
    rotation, nodes = _of(c, target, "drain", wait)
    _end(rotation.drain(nodes))


@command(subject="target", connects=True, help=TARGET)
def undrain(c: Context, target: Nodes, wait: FromNought = 0) -> None:
    """Bring drained children back, if they are well: load balancers, then DNS."""
    rotation, nodes = _of(c, target, "undrain", wait)
    _end(rotation.undrain(nodes))


def _of(c: Context, target: str, word: str, wait: int) -> tuple[Rotation, Sequence[Node]]:
    from nodriza.change.drain import Rotation
    from nodriza.inventory import resolve_target
    from nodriza.report import make_report

    cluster = reachable_cluster(c, target)
    again = f"{fab(c)} {word} {target}"
    report = functools.partial(make_report, again=again, redact=vault(cluster).redact)
    nodes = resolve_target(cluster, target)
    return Rotation(cluster, report, say, sudo_password(c), wait), nodes


def _end(results: dict[str, NodeResult]) -> None:
    from nodriza.rollout.waves import exit_code

    if code := exit_code(results):
        raise Exit(code=code)
