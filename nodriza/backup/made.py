"""What backups there are, in words: ``fab backup.list``."""

from __future__ import annotations

import calendar
import time
from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import Field

from nodriza.backup.nodes import Said
from nodriza.errors import NodrizaError
from nodriza.ssh.bounded import Line
from nodriza.watch.backups import Status, age

RUN = r"^\d{8}T\d{6}Z$"
"""The name of a backup: when it began, in UTC."""
FORM = "%Y%m%dT%H%M%SZ"
RunName = Annotated[str, Field(pattern=RUN)]


class Made(Said):
    """One backup of one node."""

    run: RunName
    host: Line
    parts: Annotated[tuple[Line, ...], Field(max_length=100)] = ()

    @property
    def when(self) -> str:
        """As people write it."""
        return time.strftime("%Y-%m-%d %H:%M:%S", time.strptime(self.run, FORM))

    @property
    def began(self) -> int:
        """In seconds since the epoch."""
        return calendar.timegm(time.strptime(self.run, FORM))


class Listed(Said):
    """What a node says of its repository and of itself."""

    runs: Annotated[list[Made], Field(max_length=100_000)]
    status: Status = Status()


def lines(found: Mapping[str, Listed | NodrizaError], now: float) -> Iterator[str]:
    """The newest first; each node says how its last trial went."""
    seen: dict[tuple[str, str], Made] = {}
    for listed in found.values():
        if isinstance(listed, Listed):
            seen.update({(each.host, each.run): each for each in listed.runs})
    verified = {
        (name, listed.status.verified.run)
        for name, listed in found.items()
        if isinstance(listed, Listed) and listed.status.verified
    }
    for made in sorted(seen.values(), key=lambda each: (each.run, each.host), reverse=True):
        trial = "  restored on trial" if (made.host, made.run) in verified else ""
        yield f"{made.when} UTC  {made.host}  {age(now - made.began)} old{trial}"
    if not seen:
        yield "no backup yet. Next: fab backup"
