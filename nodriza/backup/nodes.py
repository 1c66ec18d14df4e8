"""The nodes that have backups, and their own program for it (roles/backup.py)."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from nodriza import foreign
from nodriza.errors import HostRefused, NodrizaError, TargetError
from nodriza.plan.backups import backups
from nodriza.ssh.commands import Ended, Everywhere

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node

M = TypeVar("M", bound=BaseModel)
ANSWERS = 300
"""Seconds for a question; a repository far away takes its time."""


class Said(BaseModel):
    """What a node says; its shape is checked, and what is not known is left out."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def with_backups(cluster: Cluster) -> list[Node]:
    """The nodes that have something to back up; ``TargetError`` where no backup is wanted."""
    found = [node for node in cluster.nodes if backups(node, cluster)]
    if not found:
        raise TargetError(
            "this inventory has no backup",
            where=str(cluster.path),
            kept="nothing was done",
            do="backup: {to: …} in it, then fab provision (docs/backup.rst)",
        )
    return found


def making_backups(cluster: Cluster) -> list[Node]:
    """The same, of a cluster whose backups are its own; ``TargetError`` where it only reads."""
    found = with_backups(cluster)
    if cluster.backup and cluster.backup.of:
        raise TargetError(
            f"these are the backups of {cluster.backup.of}, which are only read here",
            where=str(cluster.path),
            kept="nothing was done",
            do="fab restore, or without backup.of",
        )
    return found


def program(cluster: Cluster, *words: str) -> str:
    """The command line for a node."""
    return shlex.join([f"/usr/local/sbin/{cluster.app.name}-backup", *words])


def do(
    cluster: Cluster,
    commands: Mapping[str, str],
    show: Callable[[str, str], None],
    *,
    sudo_password: str | None = None,
) -> dict[str, Ended]:
    """Run a line on each node; what they say is shown as it comes. How each of them ended."""
    run = Everywhere(
        cluster,
        commands,
        sudo=True,
        sudo_password=sudo_password,
        waits_for="still at work on the nodes; Ctrl-C does not end it there",
    )
    for heard in run.lines():
        if heard:
            show(*heard)
    return {name: run.ended[name] for name in commands}


def wrong(ended: Mapping[str, Ended]) -> list[str]:
    """Who did not come to a good end, in words."""
    return [
        str(end.error) if end.error else f"{name}: exit {end.exit}"
        for name, end in ended.items()
        if end.error or end.exit
    ]


def ask(
    cluster: Cluster,
    nodes: Sequence[Node],
    words: Sequence[str],
    shape: type[M],
    *,
    sudo_password: str | None = None,
) -> dict[str, M | NodrizaError]:
    """The last line that each node says, as data; or what is wrong with it."""
    said: dict[str, list[str]] = {node.name: [] for node in nodes}
    run = Everywhere(
        cluster,
        {node.name: program(cluster, *words) for node in nodes},
        sudo=True,
        sudo_password=sudo_password,
        deadline=ANSWERS,
    )
    for heard in run.lines():
        if heard:
            said[heard[0]] = [*said[heard[0]][-20:], heard[1]]
    return {name: _read(name, run.ended[name], lines, shape) for name, lines in said.items()}


def _read(name: str, ended: Ended, lines: list[str], shape: type[M]) -> M | NodrizaError:
    if ended.error:
        return ended.error
    if ended.exit:
        words = [foreign.text(line) for line in lines[-5:]]
        does = next((each.strip()[6:] for each in words if each.strip().startswith("next: ")), "")
        what = " ".join(each for each in words if not each.strip().startswith("next: "))
        return HostRefused(
            what or f"exit {ended.exit}", where=name, do=does or f"fab provision:{name}"
        )
    try:
        data: Any = json.loads(lines[-1]) if lines else None
        return shape.model_validate(data)
    except (ValueError, ValidationError):
        return HostRefused("its answer is none", where=name, do=f"fab provision:{name}")
