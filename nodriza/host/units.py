"""What systemd says of its units: org.freedesktop.systemd1(5), systemctl(1)."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Dict, Iterable, List, NamedTuple, Sequence

if TYPE_CHECKING:
    from nodriza.host.host import Host

LOOK = 20
"""Seconds that a unit on its way gets before it is looked at as it is. Longer than an ordinary
start or stop, and short enough for a command that only looks."""
ARRIVE = 300
"""Seconds that it gets in a run which may need it. MariaDB mends its data after a power cut
before it is up; Celery finishes its task before it stops."""
PAUSE = 0.2  # seconds between two looks
OFTEN, LATELY = 2, 60
"""A unit that systemd began again so often, the last time within so many seconds, is not up to
stay."""
UP = ("active", "reloading", "refreshing")
OFF = ("inactive", "failed")
PROPERTIES = (
    "Id,Names,LoadState,ActiveState,SubState,UnitFileState,Job,RestartUSec,"
    "StateChangeTimestampMonotonic,NRestarts"
)
BRINGS_UP = ("start", "restart", "try-restart", "reload", "reload-or-start", "try-reload")
"""Types of jobs (systemctl(1), list-jobs) that end with a unit that is up."""
MINUTES = re.compile(r"\d(min|h|d|w|month|y)")
"""In a time span of a minute or more, as systemd writes it (systemd.time(7))."""


class Unit(NamedTuple):
    """One unit. ``state`` is its ActiveState, ``substate`` its SubState."""

    names: Sequence[str]
    load: str
    state: str
    substate: str
    file: str
    has_job: bool
    restarts_soon: bool
    moved: float
    """When ``state`` or ``substate`` last changed; seconds of CLOCK_MONOTONIC."""
    coming: bool = False
    """A job is at work that ends with it being up."""
    restarts: int = 0
    """How often systemd began it again by itself (``NRestarts``), since a person or a run did."""

    @property
    def begins_again(self) -> bool:
        """Again and again, whatever its state is at this moment."""
        return self.restarts >= OFTEN and time.monotonic() - self.moved < LATELY

    @property
    def waits(self) -> bool:
        """For its next start, after a failure: nothing of it runs."""
        return self.substate in ("auto-restart", "auto-restart-queued")

    @property
    def passing(self) -> bool:
        """Its state is about to become another one."""
        if self.waits and not self.has_job:
            return self.restarts_soon
        return self.has_job or self.state not in ("active", *OFF)

    @property
    def began(self) -> bool:
        """Something of it may have read its files already."""
        return self.state in UP or (self.state == "activating" and not self.waits)


def show(host: Host, unit: str, properties: str) -> Dict[str, str]:
    """Some properties of one unit."""
    out = host.run(["systemctl", "show", f"--property={properties}", unit], check=False).out
    return dict(line.split("=", 1) for line in out.splitlines() if "=" in line)


def settled(host: Host, names: Sequence[str], seconds: float = LOOK) -> Dict[str, Unit]:
    """Units by name (``Id`` and aliases), each once it has settled, or after ``seconds``.

    A unit that never settles costs a run these seconds once.
    """
    while True:
        found = seen(host, names)
        now = time.monotonic()
        passing = {name: now for name in names if name in found and found[name].passing}
        for name in {*names} - {*passing}:
            host.passing.pop(name, None)
        since = [host.passing.setdefault(name, now) for name in passing]
        if not any(now - each < seconds for each in since):
            return _with_jobs(host, found) if passing else found
        time.sleep(PAUSE)


def seen(host: Host, names: Sequence[str]) -> Dict[str, Unit]:
    """Units as they are at this moment: one ``systemctl show`` for all."""
    out = host.run(["systemctl", "show", f"--property={PROPERTIES}", *names], check=False).out
    return _by_name(_unit(block) for block in out.strip().split("\n\n"))


def read_files(host: Host) -> None:
    """Let systemd read all unit files anew."""
    host.run(["systemctl", "daemon-reload"])
    host.units_changed = False


def _unit(block: str) -> Unit:
    values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
    names = {values.get("Id", ""), *values.get("Names", "").split()}
    return Unit(
        names=sorted(names - {""}),
        load=values.get("LoadState", ""),
        state=values.get("ActiveState", ""),
        substate=values.get("SubState", ""),
        file=values.get("UnitFileState", ""),
        has_job=values.get("Job", "") not in ("", "0"),
        restarts_soon=not MINUTES.search(values.get("RestartUSec", "")),
        moved=int(values.get("StateChangeTimestampMonotonic") or 0) / 1e6,
        restarts=int(values.get("NRestarts") or 0),
    )


def _with_jobs(host: Host, found: Dict[str, Unit]) -> Dict[str, Unit]:
    """The same, with what becomes of those that have a job."""
    out = host.run(["systemctl", "list-jobs", "--no-legend", "--plain"], check=False).out
    rows = [line.split() for line in out.splitlines()]
    up = {row[1] for row in rows if len(row) > 2 and row[2] in BRINGS_UP}
    return {
        name: unit._replace(coming=bool(up.intersection(unit.names)))
        for name, unit in found.items()
    }


def _by_name(units: Iterable[Unit]) -> Dict[str, Unit]:
    many: List[Unit] = list(units)
    return {name: unit for unit in many for name in unit.names}
