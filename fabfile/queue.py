"""fab queue, fab queue.purge"""

from __future__ import annotations

import sys
from typing import Annotated

from invoke import Context, Exit

from nodriza import alive

from .kinds import Like
from .output import say
from .session import command, fab, reachable_cluster, sudo_password

QueueName = Annotated[
    str, Like(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}", "that is no name of a queue", "mail")
]


@command(default=True, reads=True, connects=True)
def lengths(c: Context) -> None:
    """Show how many tasks wait in each queue, the oldest one's age, and which nodes take them."""
    import time

    from nodriza.operate import queue

    cluster = reachable_cluster(c)
    found = queue.look(cluster, sudo_password=sudo_password(c))
    for line in queue.as_lines(cluster, found, time.time()):
        say(line)


@command(
    subject="name",
    connects=True,
    help={"name": "the queue", "sure": "throw them away without a question"},
)
def purge(c: Context, name: QueueName, sure: bool = False) -> None:
    """Throw away all tasks that wait in a queue; those that are being done end."""
    from nodriza.operate import queue
    from nodriza.wording import count, did_you_mean

    cluster = reachable_cluster(c)
    options = {"sudo_password": sudo_password(c)}
    found = queue.look(cluster, **options)
    there = {each.name: each.number for each in found.queues}
    if name not in there:
        known = {*there, *queue.names(cluster)}
        near = did_you_mean(name, known) if name not in known else ""
        what = f"no queue is called {name}{near}" if name not in known else f"{name} is empty"
        raise Exit(f"{what}\n  kept: nothing was touched\n  next: {fab(c)} queue", code=1)
    tasks = count(there[name], "task")
    if not sure:
        if not sys.stdin.isatty():
            raise Exit(
                f"{tasks} wait in {name}, and nobody is there to be asked\n"
                f"  kept: all of them\n  next: {fab(c)} queue.purge {name} --sure",
                code=2,
            )
        with alive.hushed():
            answer = input(f"throw away {tasks} of {name}? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            raise Exit("  kept: all of them", code=1)
    say(f"{count(queue.purge(cluster, name, **options), 'task')} of {name} thrown away")
