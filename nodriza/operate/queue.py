"""What waits in the queues, and which nodes take it from there; and how a queue is emptied."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from nodriza import foreign
from nodriza.errors import HostRefused, TargetError
from nodriza.plan.offers import links, servers
from nodriza.ssh.commands import Everywhere

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node
    from nodriza.plan.queue import Queue

JOB, DONE_BY = "broker", "tasks"
DEADLINE = 60  # seconds
MOST = 10_000
"""Lines that are read of what a node says."""


@dataclass
class Waiting:
    """One queue. ``since``: when its oldest task was sent; 0 where nobody knows."""

    name: str
    number: int = 0
    since: float = 0


@dataclass
class Look:
    """All of them. ``works``: tasks that are being done, the oldest given out at ``since``."""

    queues: list[Waiting] = field(default_factory=list)
    works: int = 0
    since: float = 0
    connected: set[str] = field(default_factory=set)


def place(cluster: Cluster) -> tuple[Node, Queue]:
    """The node with the broker, and its engine's own words."""
    if not servers(cluster, JOB):
        raise TargetError(
            "the broker is outside of this cluster", kept="nothing was done", do="its own tools"
        )
    node, role, offer = links(cluster).one(JOB)
    if offer.queue is None:
        raise TargetError(
            f"the role {role} does not say how long its queues are",
            kept="nothing was done",
            do=f'queue= of its Offer("{JOB}"), in {role}.py',
        )
    return node, offer.queue(node, cluster)


def look(cluster: Cluster, **options: Any) -> Look:
    """What waits now. Raises what kept the node from answering."""
    node, queue = place(cluster)
    return read(_said(cluster, node, queue.lengths, "its queues", **options))


def purge(cluster: Cluster, name: str, **options: Any) -> int:
    """Throw away what waits in a queue; how many tasks that were."""
    node, queue = place(cluster)
    line = shlex.join(["sh", "-c", queue.purge, "purge", name])
    said = _said(cluster, node, line, "that the queue is empty", **options)
    if not (said and said[-1].isdecimal()):
        raise _refused(node, "that the queue is empty", said)
    return int(said[-1])


def read(lines: Sequence[str]) -> Look:
    """What a node has said, as far as it fits."""
    found = Look()
    there: dict[str, Waiting] = {}
    for line in lines:
        match foreign.line(line).split(" ", 3):
            case ["waits", number, since, name] if number.isdecimal() and name:
                each = there.setdefault(name, Waiting(name))
                each.number += int(number)
                times = [time for time in (each.since, moment(since)) if time]
                each.since = min(times, default=0)
            case ["works", number, since] if number.isdecimal():
                found.works, found.since = int(number), moment(since)
            case ["from", address]:
                found.connected.add(address)
    found.queues = sorted(there.values(), key=lambda each: each.name)
    return found


def moment(text: str) -> float:
    """Seconds since the epoch; 0 for what is no time."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        when = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return 0
    return (when if when.tzinfo else when.replace(tzinfo=timezone.utc)).timestamp()


def takers(cluster: Cluster, name: str) -> Iterator[Node]:
    """The nodes that take tasks from a queue, as their roles say."""
    for node, _, offer in links(cluster).servers.get(DONE_BY, ()):
        if offer.job == DONE_BY and offer.takes and name in offer.takes(node, cluster):
            yield node


def names(cluster: Cluster) -> set[str]:
    """Of the queues that any node takes tasks from."""
    done = links(cluster).servers.get(DONE_BY, ())
    return {name for node, _, offer in done if offer.takes for name in offer.takes(node, cluster)}


def as_lines(cluster: Cluster, found: Look, now: float) -> Iterator[str]:
    """For a person, a queue a line."""
    there = {each.name: each for each in found.queues}
    rows = [("queue", "waiting", "oldest", "taken by")]
    for name in sorted({*there, *names(cluster)}):
        each = there.get(name, Waiting(name))
        who = [
            node.name if node.private in found.connected else f"{node.name} (not connected)"
            for node in takers(cluster, name)
        ]
        oldest = span(now - each.since) if each.since else "?" if each.number else "-"
        rows.append((name, str(each.number), oldest, ", ".join(who) or "-"))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        yield f"{'  '.join(cells)}  {row[3]}"
    if found.works:
        since = f", the oldest for {span(now - found.since)}" if found.since else ""
        yield f"{found.works} given out and not done yet{since}"


def span(seconds: float) -> str:
    """How long, in one word."""
    seconds = max(0, round(seconds))
    if seconds < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 7200 else f"{seconds // 3600} h"


def _said(cluster: Cluster, node: Node, line: str, what: str, **options: Any) -> list[str]:
    asked = Everywhere(cluster, {node.name: line}, sudo=True, deadline=DEADLINE, **options)
    said = [heard[1] for heard in asked.lines() if heard][:MOST]
    end = asked.ended[node.name]
    if end.error:
        raise end.error
    if end.exit:
        raise _refused(node, what, said)
    return said


def _refused(node: Node, what: str, said: Sequence[str]) -> HostRefused:
    return HostRefused(
        f"the broker does not say {what}: {' '.join(said[-3:])}",
        where=node.name,
        kept="nothing else was changed",
        do=f"fab status:{node.name}",
    )
