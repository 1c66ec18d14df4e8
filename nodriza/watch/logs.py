"""The logs of many nodes as one: their journals, and the files that services write besides."""

from __future__ import annotations

import heapq
import re
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from nodriza.errors import TargetError
from nodriza.plan.plan import Plan
from nodriza.resources import Service
from nodriza.rollout.run import patience
from nodriza.ssh.agent_archive import CLEAN
from nodriza.ssh.commands import Everywhere
from nodriza.watch.log_entries import Entry, Reader
from nodriza.wording import did_you_mean

if TYPE_CHECKING:
    from nodriza.inventory import Cluster

FIELDS = "MESSAGE,UNIT,_SYSTEMD_UNIT,SYSLOG_IDENTIFIER"
"""UNIT is the one that systemd itself speaks of (systemd.journal-fields(7))."""
_MESSAGES = (
    # sshd(8), and PAM, for whoever came in and left.
    r"Accepted |Postponed |Starting session: |Close session: |User child is on pid "
    r"|Received disconnect from .*: disconnected by user|Disconnected from user "
    r"|pam_(unix|env|limits|systemd)\((sshd|systemd-user|sudo):session\): "
    # systemd-logind(8).
    r"|(New session|Session|Removed session) c?[0-9]+"
    # sudo(8), of the command that our agent comes with, in pieces.
    r"|[^ ]+ : [^\"]*COMMAND=/usr/bin/env -i PATH="
    r"|[^ ]+ : \(command continued\) [A-Za-z0-9+/= ]+\""
)
_MANAGER = r'"_SYSTEMD_UNIT":"user@[0-9]+\.service"'
_ITSELF = r'"SYSLOG_IDENTIFIER":"\(?(systemd|sd-pam)'
LOGINS = (
    rf'"MESSAGE":"({_MESSAGES})|{_MANAGER}.*{_ITSELF}|{_ITSELF}.*{_MANAGER}'
    r'|"UNIT":"(user@|user-runtime-dir@|user-[0-9]+\.slice|session-c?[0-9]+\.scope)'
)
"""For grep -E: lines of ``journalctl --output=json`` that a log-in makes which went well.

Every look of ours is one, and makes a dozen of them. Those that failed stay, and so does
whatever somebody did in a session.
"""
SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
DEADLINE = 120  # seconds that a node has for what it has kept; one that follows has all day
MOST = 100
"""Lines of the journal that are looked through for each that is wanted."""
LATE = 0.7  # seconds that a line may be behind another node's when they are followed

# First, because what a file says without a zone is meant in the host's own: by its name, which
# knows of daylight saving time, and by today's offset for a name that nobody knows here.
ZONE = 'printf \'zone:%s %s\\n\' "$(date +%z)" "$(readlink /etc/localtime)"'


@dataclass(frozen=True)
class Wish:
    """What somebody wants to see; ``since`` in seconds since the epoch."""

    unit: str = ""
    since: float | None = None
    lines: int = 200
    follow: bool = False


def since(text: str, now: float) -> float | None:
    """ "15m", "2h", "3d" ago, or a time, "2026-11-21 08:15": in UTC, unless it has an offset.

    Raises ``TargetError``.
    """
    if not text:
        return None
    if span := re.fullmatch(r"(\d{1,6})([smhd])", text):
        return max(0, now - int(span[1]) * SPANS[span[2]])
    try:
        when = datetime.fromisoformat(text)
        return max(0, (when if when.tzinfo else when.replace(tzinfo=timezone.utc)).timestamp())
    except (ValueError, OverflowError):
        raise TargetError(
            f"--since {text}: not a time",
            kept="nothing was done",
            do='--since 15m (s, m, h, d), or --since "2026-11-21 08:15" in UTC',
        ) from None


def refuse_unit(unit: str, plans: Sequence[Plan]) -> None:
    """Raises ``TargetError`` for a service that none of the plans has."""
    services = [
        planned.resource
        for plan in plans
        for planned in plan.resources
        if isinstance(planned.resource, Service)
    ]
    if not unit or any(unit in (each.unit, each.full_unit) for each in services):
        return
    names = sorted({each.unit for each in services})
    raise TargetError(
        f"--unit {unit[:60]}: no such service on these nodes{did_you_mean(unit, names)}",
        kept="nothing was done",
        do=f"choose from {', '.join(names)};"
        " of another unit: fab run 'journalctl --unit UNIT --lines 200' --target NODE",
    )


def command(plan: Plan, wish: Wish) -> str:
    """What a node runs: journalctl, and tail for each file, every line with its unit."""
    services = [each.resource for each in plan.resources if isinstance(each.resource, Service)]
    journal = ["journalctl", "--output=json", f"--output-fields={FIELDS}", "--no-pager", "--quiet"]
    journal += [f"--unit={wish.unit}"] if wish.unit else []
    journal += [f"--since=@{wish.since:.0f}"] if wish.since is not None else []
    # The newest first, of which head takes its part, and ends journalctl with that.
    last = ["--follow", f"--lines={wish.lines}"] if wish.follow else ["--reverse"]
    if not wish.follow and wish.since is None:
        last += [f"--lines={MOST * wish.lines}"]
    # Who asks for sshd wants to see who came.
    others = [] if wish.unit else [f"grep -Ev --line-buffered {shlex.quote(LOGINS)}"]
    # Line by line, or two writers to one pipe cut each other's lines in two (pipe(7)).
    cut = ["sed -u ''"] if wish.follow else [f"head --lines={wish.lines}"]
    parts = [" | ".join([shlex.join([*journal, *last]), *others, *cut])]
    for service in services:
        if wish.unit in ("", service.unit, service.full_unit):
            parts += [_tail(service.unit, file, wish) for file in service.logs]
    read = " & ".join([*parts, "wait"]) if wish.follow else "; ".join(parts)
    # The login's own zone, locale, PATH and wishes for colours say nothing about the services.
    return f"exec {CLEAN} /bin/sh -c {shlex.quote(f'{ZONE}; {read}')}"


def _tail(unit: str, file: str, wish: Wish) -> str:
    # logrotate(8) has just moved what is older than the file away, at midnight all of it.
    files = [file] if wish.follow else [f"{file}.1", file]
    tail = ["tail", "--quiet", f"--lines={wish.lines}", *(["-F"] if wish.follow else []), *files]
    return f"{shlex.join(tail)} 2>/dev/null | sed -u 's/^/file:{unit}:/'"


def merged(
    cluster: Cluster, plans: Sequence[Plan], wish: Wish, **options: Any
) -> Iterator[Entry | str]:
    """All lines in the order of their times, at most ``wish.lines``; endless when followed.

    Text in between is what a node said that is no log, or why it did not answer.
    """
    commands = {plan.node: command(plan, wish) for plan in plans}
    # Who follows expects silence, and ends it by hand.
    within: dict[str, Any] = (
        {"waits_for": "nothing new in the logs; Ctrl-C ends it"}
        if wish.follow
        else {"deadline": patience(cluster, DEADLINE)}
    )
    heard = _heard(Everywhere(cluster, commands, sudo=True, **within, **options), wish)
    return _in_order(heard) if wish.follow else _last(heard, wish.lines)


def _heard(run: Everywhere, wish: Wish) -> Iterator[Entry | str | None]:
    readers = {node: Reader(node) for node in run.commands}
    told: set[str] = set()
    for said in run.lines(tick=LATE / 2):
        entry = readers[said[0]].read(said[1]) if said else None
        if isinstance(entry, str):
            if not run.stopped_by_hand:  # a shell that is ended says so
                yield f"{said[0] if said else ''}: {entry}"
        elif entry is None or entry.time >= (wish.since or 0):
            yield entry
        yield from _ended(run, readers, told)
    yield from _ended(run, readers, told)


def _ended(run: Everywhere, readers: Mapping[str, Reader], told: set[str]) -> Iterator[str]:
    """Once for each node: why it did not answer, or what it said in place of its logs."""
    for node, end in run.ended.items():
        if node not in told:
            told.add(node)
            if not run.stopped_by_hand:
                yield from (f"{node}: {words}" for words in readers[node].before)
            if end.error:
                yield str(end.error)


def _last(heard: Iterator[Entry | str | None], lines: int) -> Iterator[Entry | str]:
    """The newest of all, the oldest of them first."""
    entries: list[Entry] = []
    for said in heard:
        if isinstance(said, str):
            yield said
        elif said is not None:
            heapq.heappush(entries, said)
            if len(entries) > lines:
                heapq.heappop(entries)
    yield from sorted(entries)


def _in_order(heard: Iterator[Entry | str | None]) -> Iterator[Entry | str]:
    """As they come, each held back for as long as another node's may be late."""
    waiting: list[tuple[Entry, float]] = []
    for said in heard:
        now = time.monotonic()
        if isinstance(said, str):
            yield said
        elif said is not None:
            heapq.heappush(waiting, (said, now))
        while waiting and now - waiting[0][1] >= LATE:
            yield heapq.heappop(waiting)[0]
    while waiting:
        yield heapq.heappop(waiting)[0]
