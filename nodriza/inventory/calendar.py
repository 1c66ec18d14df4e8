"""When a timer elapses: systemd.time(7), "Calendar events", and words for what is usual.

systemd reads such a line on the host, when the timer is there already. So it is read here first,
and what is let through is a part of what systemd takes: a year has four digits, and there is no
time zone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated

from nodriza.inventory.shape import Shape

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
SHORT = ("minutely", "hourly", "daily", "weekly", "monthly", "quarterly", "yearly")
EVERY = {
    "minute": "*-*-* *:*:00",
    "hour": "*-*-* *:00:00",
    "day": "*-*-* 00:00:00",
    "week": "Mon *-*-* 00:00:00",
    "month": "*-*-01 00:00:00",
}
PARTS = {"second": (60, "*-*-* *:*:0/{}"), "minute": (60, "*-*-* *:0/{}:00")}
PARTS["hour"] = (24, "*-*-* 0/{}:00:00")
"""Unit to how many the next larger one has, and the line for every so many of them."""
LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
"""Days of each month."""

_DAY = f"({'|'.join(WEEKDAYS)})"
_NUMBER = r"(\*|[0-9]{1,4}(\.\.[0-9]{1,4})?(/[0-9]{1,4})?)"
_LIST = f"{_NUMBER}(,{_NUMBER})*"
_DAYS = rf"{_DAY}((,|\.\.){_DAY})*"
_DATE = rf"({_LIST}-)?{_LIST}[-~]{_LIST}"
_TIME = f"{_LIST}:{_LIST}(:{_LIST})?"
_CALENDAR = rf"({_DAYS}( {_DATE})?( {_TIME})?|{_DATE}( {_TIME})?|{_TIME})"
_WORDS = rf"{'|'.join((*EVERY, *SHORT))}|[1-9][0-9]? (second|minute|hour)s"
_CALENDAR_WORDS = (
    'must be a time as systemd.time(7) has it, such as "*-*-* 03:00", "Sun 05:00" or hourly'
)
_EVERY_WORDS = (
    'must be minute, hour, day, week or month; "10 minutes"; or a time as systemd.time(7) has it,'
    ' such as "03:00" or "Mon..Fri 08:30"'
)


def calendar(text: str) -> str:
    """The same text, if systemd takes it as ``OnCalendar`` and it ever comes.

    Raises ``ValueError`` with what is wrong.
    """
    if text in SHORT:
        return text
    if not re.fullmatch(_CALENDAR, text):
        if re.search(r"\*/[0-9]", text):
            raise ValueError("has a step behind *: write 0/2 for hours, minutes and seconds")
        raise ValueError(_CALENDAR_WORDS)
    for part in text.split(" "):
        if part[0].isalpha():
            _weekdays(part)
        elif ":" in part:
            _time(part)
        else:
            _date(part)
    return text


def every(text: str) -> str:
    """The same text, if ``on_calendar`` knows a line for it. Raises ``ValueError``."""
    on_calendar(text)
    return text


def on_calendar(text: str) -> str:
    """The line of a timer for "minute", "10 minutes", or a time of systemd's."""
    if text in EVERY:
        return EVERY[text]
    if found := re.fullmatch(r"([1-9][0-9]?) (second|minute|hour)s?", text):
        number, unit = int(found[1]), found[2]
        whole, line = PARTS[unit]
        if whole % number or number == whole:
            fits = [each for each in range(1, whole) if not whole % each]
            near = sorted(sorted(fits, key=lambda each: abs(each - number))[:2])
            larger = {"second": "a minute", "minute": "an hour", "hour": "a day"}[unit]
            raise ValueError(
                f"does not divide {larger}, so not all runs would be as far apart: take"
                f" {' or '.join(map(str, near))}"
            )
        return line.format(number)
    try:
        return calendar(text)
    except ValueError as error:
        raise ValueError(_EVERY_WORDS if str(error) == _CALENDAR_WORDS else str(error)) from None


def _weekdays(part: str) -> None:
    for item in part.split(","):
        first, dots, last = item.partition("..")
        if dots and (".." in last or WEEKDAYS.index(first) > WEEKDAYS.index(last)):
            raise ValueError(f"can't have {item}: a week goes from Mon to Sun")


def _time(part: str) -> None:
    hours, minutes, *seconds = part.split(":")
    _numbers(hours, "hour", 0, 23)
    for each in (minutes, *seconds):
        _numbers(each, "minute" if each is minutes else "second", 0, 59)


def _date(part: str) -> None:
    before, from_end, days = part.rpartition("~") if "~" in part else part.rpartition("-")
    *year, months = before.split("-")
    for each in year:
        _numbers(each, "year", 1970, 2199)
    which = _numbers(months, "month", 1, 12)
    # Counted from the end of a month there are as many as in the shortest (systemd refuses more).
    found = _numbers(days, "day", 1, 28 if from_end == "~" else 31)
    if found and min(found) > max(LONGEST[each - 1] for each in which or range(1, 13)):
        raise ValueError(f"never comes: no such month has a day {min(found)}")


def _numbers(part: str, what: str, least: int, most: int) -> set[int]:
    """Those that are named; none is any. As systemd's parse_component_decimal reads them."""
    found: set[int] = set()
    for item in part.split(","):
        if item == "*":
            return set()
        found.update(_some(item, what, least, most))
    return found


def _some(item: str, what: str, least: int, most: int) -> Iterator[int]:
    numbers, slash, step = item.partition("/")
    first, dots, last = numbers.partition("..")
    begin, end = int(first), int(last) if dots else (most if slash else int(first))
    for each in (begin, end):
        if not least <= each <= most:
            raise ValueError(f"has no {what} {each}: {least} to {most}")
    if begin > end:
        raise ValueError(f"can't have {item}: it goes backwards")
    if slash and (int(step) < 1 or begin + int(step) > most):
        raise ValueError(f"can't have the step {step} in {item}: it leads nowhere")
    return iter(range(begin, end + 1, int(step) if slash else 1))


When = Annotated[str, Shape(rf"{'|'.join(SHORT)}|{_CALENDAR}", _CALENDAR_WORDS, calendar)]
"""When a timer elapses, as systemd writes it."""
Every = Annotated[str, Shape(rf"{_WORDS}|{_CALENDAR}", _EVERY_WORDS, every)]
"""The same, or in words."""
