"""Text of others, and what is left of it where it comes in."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodriza import foreign
from nodriza.errors import HostRefused
from tests.cost import cost

ODD = st.text(
    st.sampled_from("ab \n\r\t\x1b\x9b\x9d\x07\x00\x85[]0;mJ\\\u202e\u200b\u2028\u2066\ud800é🎬")
    | st.characters(),
    max_size=60,
)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("\x1b]0;a title\x07words", "words"),
        ("\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPq#0;2;0;0;0\x1b\\picture", "picture"),
        ("\x9b31mred\x9d0;title\x9c", "red"),
        ("\x1b(0box\x1bc", "box"),
        ("title \x1b]0;without an end\nnext line", "title \nnext line"),
        ("over\rwritten\x08", "overwritten"),
        ("a\r\nb\tc", "a\nb    c"),
        ("hunter2\x1b[0mhunter2", "hunter2hunter2"),
        ("\u202eesrever \u200bhidden\u2060\ufeff", "esrever hidden"),
        ("a\u2028b\u2029c\x85d", "abcd"),
        ("lone \ud800 surrogate", "lone  surrogate"),
        ("ñ é 日本 🎬 ‹secret:redis› → ✓", "ñ é 日本 🎬 ‹secret:redis› → ✓"),
    ],
)
def test_text__keeps_letters_and_line_feeds_and_nothing_that_moves_or_hides(said, shown):
    assert foreign.text(said) == shown


@given(ODD)
def test_text__is_the_same_when_it_is_cleaned_again_and_can_be_written(said):
    text = foreign.text(said)
    assert foreign.text(text) == text
    text.encode()
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]", text
    )


@given(ODD)
def test_line__is_one_however_lines_are_counted(said):
    assert len(foreign.line(said).splitlines()) <= 1


@given(ODD, ODD)
def test_quotation__forges_no_line_of_ours(said, more):
    _, *others = foreign.quoted(f"{said}\n  next: {more}").splitlines() or [""]
    assert all(line.startswith(foreign.MARK) for line in others)


def test_long_text__has_its_beginning_its_end_and_what_is_missing():
    text = foreign.text("first" + "x" * 10_000_000 + "last", 1000)
    assert text.startswith("first")
    assert text.endswith("last")
    assert "characters left out" in text
    assert len(text) < 1100


@pytest.mark.parametrize("piece", ["\x1b[", "\x1b]", "\x1b", "\x9b", "a\n", "\x1b[0;"])
def test_long_text__takes_time_by_its_length_only(piece):
    text = piece * (2_000_000 // len(piece))
    assert cost(lambda: foreign.text(text), enough=5) < 5


def test_reason__is_one_line_and_never_empty():
    assert foreign.reason(OSError("a\x1b[2J\n  next: b")) == "a   next: b"
    assert foreign.reason(EOFError()) == "EOFError"


def test_error__shows_nothing_that_moves_a_cursor_whoever_worded_it():
    assert "\x1b" not in str(HostRefused("\x1b[2Jgone", where="\x1b]0;x\x07", kept="a\x1b[1m"))
