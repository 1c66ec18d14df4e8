"""Changes and times, as a person says them."""

from __future__ import annotations

from typing import Any

import pytest

from nodriza.report.words import details, duration
from tests.unit.report.runs import resource


@pytest.mark.parametrize(
    ("gap", "words", "read"),
    [
        ({"mode": ["0644", "0600"]}, "", "mode 0644 → 0600"),
        ({"exists": [False, True]}, "", "new"),
        ({"exists": [True, False]}, "", "goes away"),
        ({"sha256": ["another size", "b" * 64]}, "", "content"),
        ({"password": ["hidden", "hidden"]}, "", "password"),
        ({"owner": [None, "videoteca"]}, "", "owner nothing → videoteca"),
        ({"enabled": [False, True], "running": [False, True]}, "", "enabled, running"),
        ({"running": [True, False]}, "", "not running"),
        ({}, "reload", "reload"),
        ({"target": ["x" * 60, "y"]}, "", "target"),
        ({"left": [True, False]}, "", "not planned any more"),
    ],
)
def test_details__read_as_a_person_says_it(gap: dict[str, Any], words: str, read: str) -> None:
    assert details(resource("x:y", gap=gap, words=words)) == read


@pytest.mark.parametrize(
    ("seconds", "read"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (59.96, "1:00"), (245, "4:05"), (3723, "1:02:03")],
)
def test_duration__has_one_unit_and_no_rounding_to_sixty(seconds: float, read: str) -> None:
    assert duration(seconds) == read
