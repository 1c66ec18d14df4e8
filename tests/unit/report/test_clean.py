"""What no report shows: values of secrets, and what moves a cursor."""

from __future__ import annotations

import io
from typing import Any

import pytest

from nodriza.report import make_report
from nodriza.report.clean import Output
from tests.unit.report.runs import VALUE, play, redact


@pytest.mark.parametrize("kind", ["plain", "json", "live"])
def test_every_report__shows_tokens_in_the_place_of_values(kind: Any) -> None:
    stream = io.StringIO()
    play(make_report(kind, diff=True, redact=redact, stream=stream))
    assert VALUE not in stream.getvalue()
    assert "secret:redis" in stream.getvalue()


@pytest.mark.parametrize("kind", ["plain", "json", "live"])
def test_every_report__keeps_a_hosts_escape_codes_from_the_terminal(kind: Any) -> None:
    stream = io.StringIO()
    play(make_report(kind, redact=redact, stream=stream))
    assert "\x1b" not in stream.getvalue()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("\x1b]0;a title\x07words", "words"),
        ("over\rwritten\x08", "overwritten"),
        ("a\r\nb\tc", "a\nb    c"),
        ("hunter2\x1b[0mhunter2", "‹secret:redis›"),
        ("\u202eesrever", "esrever"),
    ],
)
def test_clean__leaves_nothing_that_moves_a_cursor_or_splits_a_value(
    said: str, shown: str
) -> None:
    assert Output(io.StringIO(), redact).clean(said) == shown
