"""When a timer elapses: what is let through, systemd takes; what is refused is told why."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from nodriza.inventory.calendar import EVERY, PARTS, SHORT, calendar, on_calendar

TAKEN = (
    *SHORT,
    "03:00",
    "Sun 05:00",
    "Mon..Fri 08:30",
    "Mon,Wed..Fri *-*-* 03:00",
    "*-*-* 03:00",
    "*-*-01 04:00:30",
    "*-*~03 03:00",
    "*-1,7-02 00:00",
    "*:0/10",
    "*:*:0/10",
    "02..05/2:00",
    "*:0..30/10",
    "*:1,2/5",
    "2099-01-01 00:00",
    "Mon",
    "*-*-*",
    "*-02-29 00:00",
)
REFUSED = {
    "": "must be a time",
    "soon": "must be a time",
    "03:00 Mon": "must be a time",
    "25:00": "has no hour 25: 0 to 23",
    "*:60": "has no minute 60",
    "*:*:60": "has no second 60",
    "*-13-01 00:00": "has no month 13",
    "*-*-32 00:00": "has no day 32",
    "*-02-30 03:00": "never comes",
    "*-4,6-31 03:00": "never comes",
    "*-*~31 03:00": "has no day 31: 1 to 28",
    "1969-01-01 00:00": "has no year 1969",
    "12..3:00": "goes backwards",
    "Sat..Tue 03:00": "a week goes from Mon to Sun",
    "*:0/0": "the step 0",
    "*:58/5": "the step 5",
    "*/2:00": "a step behind *",
    "03:00\n[Service]": "must be a time",
}


def test_a_time_of_systemd_s_is_taken_as_it_is() -> None:
    assert [calendar(each) for each in TAKEN] == list(TAKEN)


@pytest.mark.parametrize("text", REFUSED)
def test_what_systemd_would_refuse_or_what_never_comes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="^.") as refused:
        calendar(text)
    assert REFUSED[text] in str(refused.value)


def test_words_are_lines_of_systemd_s() -> None:
    assert on_calendar("minute") == "*-*-* *:*:00"
    assert on_calendar("10 minutes") == "*-*-* *:0/10:00"
    assert on_calendar("2 seconds") == "*-*-* *:*:0/2"
    assert on_calendar("6 hours") == "*-*-* 0/6:00:00"
    assert on_calendar("Mon..Fri 08:30") == "Mon..Fri 08:30"


def test_runs_are_equally_far_apart_or_it_is_refused() -> None:
    with pytest.raises(ValueError, match="does not divide an hour.*take 6 or 10"):
        on_calendar("8 minutes")
    with pytest.raises(ValueError, match="does not divide a day"):
        on_calendar("5 hours")
    with pytest.raises(ValueError, match="must be minute, hour"):
        on_calendar("fortnight")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")
def test_systemd_says_the_same() -> None:
    words = [*EVERY, *(f"{n} {unit}s" for unit in PARTS for n in (2, 6))]
    lines = [*TAKEN, *(on_calendar(each) for each in words)]
    assert [each for each in lines if not _takes(each)] == []
    never = ("never comes", "must be a time", "has no year")
    wrong = [each for each, why in REFUSED.items() if not any(word in why for word in never)]
    assert [each for each in wrong if _takes(each)] == []


def _takes(line: str) -> bool:
    argv = ["systemd-analyze", "calendar", line]
    said = subprocess.run(argv, capture_output=True, text=True, check=False)
    return said.returncode == 0 and "never" not in said.stdout
