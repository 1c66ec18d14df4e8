"""What a host says, byte by byte: heard as it was said, or refused in words."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodriza.errors import NodrizaError
from nodriza.ssh.channel import exchange
from nodriza.ssh.events import NotAnEvent, read
from tests.unit.hostile import liar
from tests.unit.hostile.conftest import shown
from tests.unit.hostile.liar import (
    END,
    EVENTS,
    FACTS,
    OK3,
    REQUEST,
    START,
    Connection,
    spoken,
)
from tests.unit.hostile.odd import EXTRA, MANY


def converse(*said: bytes, request: dict[str, Any] = REQUEST, **options: Any) -> list[Any]:
    """What a host said, as far as it was let in."""
    heard: list[Any] = []
    connection: Any = Connection(lambda _: said, **options)
    with contextlib.suppress(NodrizaError):
        exchange(connection, request, lambda event: heard.append(event) or None)
    return heard


@given(st.lists(st.binary(max_size=200) | st.sampled_from([b"\x1e", b"\n", b"{", b"}", b'"'])))
@MANY
def test_any_bytes__end_in_words_or_in_nothing(pieces: list[bytes]) -> None:
    converse(*pieces)


@given(st.data())
@MANY
def test_honest_bytes__are_heard_alike_however_they_are_cut_and_whatever_noise_there_is(
    data: Any,
) -> None:
    noise = data.draw(st.binary(max_size=30)).replace(b"\x1e", b"")
    whole = (
        noise
        + b"\n".join(
            [
                data.draw(st.sampled_from([b"", b"motd"])) + b"\x1e" + json.dumps(event).encode()
                for event in EVENTS
            ]
        )
        + b"\n"
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    pieces = [whole[a:b] for a, b in itertools.pairwise([0, *cuts, len(whole)]) if a < b]
    heard = [event["event"] for event in converse(*pieces)]
    assert heard == ["start", "facts", "resource", "resource", "resource", "end"]


@given(EXTRA)
@MANY
def test_record__fits_or_is_refused_in_one_line_of_words(event: Any) -> None:
    words = "it fits"
    try:
        read(json.dumps(event).encode())
    except NotAnEvent as error:
        words = str(error)
    assert 0 < len(words) < 500
    assert len(shown(words).splitlines()) == 1


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([START, FACTS, END], "done after 0 of 3 resources"),
        ([START, FACTS, OK3, OK3, END], "more resources than the plan has"),
        ([START, START], "begins twice"),
        ([START, OK3, END], "done without an answer"),
        ([{**START, "resources": 2}], "a plan of 2 resources: 3 were sent"),
        ([END], "end before it had begun"),
        ([{"event": "moved", "jobs": {}}], "it minds where data is"),
        ([START, {**FACTS, "strays": []}], "something else than was asked"),
        ([START, FACTS, FACTS], "answers twice"),
        ([START, *[{"event": "warning", "words": "x"}] * 200], "more than"),
        ([START, {"event": "resource", "id": "file:/2"}], "resource.status: Field required"),
        (
            [
                START,
                {**dict.fromkeys(("diff", "words"), ""), "event": "resource", "id": "file:/2"}
                | {"status": "ok", "gap": {}, "seconds": 0},
            ],
            "file:/2 in the place of file:/0",
        ),
    ],
)
def test_host__that_leaves_something_out_or_says_it_twice_is_not_believed(said, words) -> None:
    connection: Any = Connection(lambda _: [spoken(said)])
    with pytest.raises(NodrizaError, match=re.escape(words)):
        exchange(connection, REQUEST, lambda _: None)


def test_host__that_leaves_a_path_out_of_its_state_is_not_believed() -> None:
    ask = {"state": {"links": ["/a"], "certificates": ["/b"], "marks": ["/c"]}}
    request = {**REQUEST, "ask": ask}
    for name in ask["state"]:
        start, facts, *_ = json.loads(json.dumps(liar.events(request)))
        facts["state"][name] = {}
        connection: Any = Connection(lambda _, said=(start, facts): [spoken(said)])
        with pytest.raises(NodrizaError, match=f"state.{name} is about something else"):
            exchange(connection, request, lambda _: None)
