"""What one node says of its logs, line by line, read into entries that have a time and a unit."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Annotated, Any, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, Field, TypeAdapter, ValidationError

from nodriza import foreign

LINE = 8_000
"""Characters of an entry; journald cuts a line at 48 KB (journald.conf(5), LineMax=)."""
END = 253402300800 - 86400
"""The last day of the year 9999, in seconds since the epoch: nothing later has a date."""
# nginx (access as in our log_format, error), GlusterFS and most others.
STAMP = re.compile(
    r"(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d):(\d\d)(\.\d+)? ?([+-]\d\d:?\d\d|Z)?"
)


@dataclass(frozen=True, order=True)
class Entry:
    """One line; ``time`` in seconds since the epoch."""

    time: float
    node: str
    unit: str
    line: str

    def __str__(self) -> str:
        when = datetime.fromtimestamp(self.time, timezone.utc)
        shown = f"{when:%Y-%m-%d %H:%M:%S}.{when.microsecond // 1000:03}"
        # A message of several lines is one entry: its further lines are marked.
        return f"{shown} {self.node} {self.unit}: {foreign.quoted(self.line, LINE)}"

    def as_json(self) -> str:
        """For machines."""
        return json.dumps(asdict(self))


def _text(message: Any) -> str:
    """journald gives what is no UTF-8 as a list of bytes (systemd.journal-fields(7))."""
    if isinstance(message, list) and all(type(it) is int and 0 <= it < 256 for it in message):
        return bytes(message).decode("utf-8", "replace")
    return message if isinstance(message, str) else ""


Name: TypeAlias = Annotated[str, BeforeValidator(lambda said: foreign.line(_text(said), 300))]


class Journal(BaseModel):
    """A line of ``journalctl --output=json``; what is no text, such as several values, is left."""

    REALTIME_TIMESTAMP: Annotated[int, Field(ge=0, lt=END * 10**6)] = Field(
        alias="__REALTIME_TIMESTAMP"
    )
    """Microseconds since the epoch."""
    UNIT: Name = ""
    SYSTEMD_UNIT: Name = Field("", alias="_SYSTEMD_UNIT")
    SYSLOG_IDENTIFIER: Name = ""
    MESSAGE: Annotated[str, BeforeValidator(_text)] = ""


@functools.cache
def _adapter() -> TypeAdapter[Journal]:
    return TypeAdapter(Journal)


class Reader:
    """Reads what one node's ``command`` writes."""

    def __init__(self, node: str) -> None:
        self.node = node
        self.before: list[str] = []
        """What was said before the first word of ``command``: a log-in's own remarks when that
        comes, and the reason when it does not (sudo refuses)."""
        self._has_begun = False
        self._zone: tzinfo = timezone.utc
        self._last: dict[str, float] = {}

    def read(self, line: str) -> Entry | str | None:
        """An entry, or text that is none, or nothing."""
        if line.startswith("zone:"):
            offset, _, link = line[5:].partition(" ")
            self._zone = _named_zone(link) or _zone(offset)
            self._has_begun, self.before = True, []
            return None
        if line.startswith("file:"):
            _, unit, text = [*line.split(":", 2), ""][:3]
            when, unit = self._time(unit, text), foreign.line(unit, 300)
            return Entry(when, self.node, unit, foreign.text(text, LINE))
        try:
            said = _adapter().validate_json(line)
        except ValidationError:
            return self._text(foreign.line(line.strip()))
        names = (said.UNIT, said.SYSTEMD_UNIT, said.SYSLOG_IDENTIFIER)
        unit = next(filter(None, names), "-").removesuffix(".service")
        when = said.REALTIME_TIMESTAMP / 1e6
        return Entry(when, self.node, unit, foreign.text(said.MESSAGE, LINE))

    def _text(self, words: str) -> str | None:
        if self._has_begun or not words:
            return words or None
        self.before = [*self.before, words][-20:]
        return None

    def _time(self, unit: str, text: str) -> float:
        """What the line says itself, else the time of the one before it."""
        if stamp := STAMP.search(text[:500]):
            numbers = [int(stamp[group]) for group in range(1, 7)]
            zone = _zone(stamp[8].replace(":", "")) if stamp[8] else self._zone
            try:
                when = datetime(*numbers, tzinfo=zone).timestamp()  # type: ignore[misc,arg-type]
                if 0 <= when < END and len(self._last) < 1000:
                    self._last[unit] = when + float(stamp[7] or 0)
            except ValueError:  # digits that are no date
                pass
        return self._last.get(unit, 0.0)


def _named_zone(link: str) -> tzinfo | None:
    """ "/usr/share/zoneinfo/Europe/Madrid"; nothing for what is no zone on this computer."""
    _, _, name = link.partition("/zoneinfo/")
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _zone(text: str) -> timezone:
    """ "+0130"."""
    if not re.fullmatch(r"[+-]\d{4}", text):
        return timezone.utc
    minutes = min(int(text[1:3]) * 60 + int(text[3:]), 1439)  # less than a day
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
