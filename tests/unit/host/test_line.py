"""What the controller says to an agent that is at work, and what its silence means."""

from __future__ import annotations

import io
import json
import os
import threading
import time
import zlib
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from nodriza.host.errors import HostError, Stopped
from nodriza.host.line import DATA, HERE, TURN, Controller, EventStream
from nodriza.host.redact import Redactor


class Talk:
    """An agent's ``Controller``, and the end of the pipe that the real one has."""

    def __init__(self) -> None:
        inside, self.end = os.pipe()
        self.sent = 0
        self.out = io.BytesIO()
        self.controller = Controller(inside, EventStream(self.out, Redactor({}), {}))

    def say_soon(self, word: bytes) -> None:
        threading.Timer(0.05, os.write, (self.end, word)).start()

    def answer(self, words: bytes) -> None:
        """As the controller does: when it was asked. It may be more than a pipe holds."""
        asked = len(self.events())
        end = os.fdopen(os.dup(self.end), "wb", buffering=0)

        def answer() -> None:
            while len(self.events()) == asked:
                time.sleep(0.005)
            with end:
                for at in range(0, len(words), 10_000):
                    self.sent += end.write(words[at : at + 10_000])

        threading.Thread(target=answer, daemon=True).start()

    def events(self) -> list[dict]:
        return [json.loads(record) for record in self.out.getvalue().split(b"\x1e")[1:]]


@pytest.fixture
def talk() -> Iterator[Talk]:
    talk = Talk()
    yield talk
    os.close(talk.end)
    talk.controller.stopping.wait(5)


def test_turn__comes_with_its_byte(talk):
    talk.say_soon(HERE + TURN)
    assert talk.controller.ask(True)
    assert talk.events() == [{"event": "turn", "serves": True}]


def test_second_turn__is_not_the_first_one_again(talk, monkeypatch):
    monkeypatch.setattr("nodriza.host.line.ABSENT", 0.3)
    talk.say_soon(TURN)
    assert talk.controller.ask(False)
    assert not talk.controller.ask(True)


def test_controller_that_is_silent__is_not_waited_for(talk, monkeypatch):
    """A laptop that sleeps holds no host."""
    monkeypatch.setattr("nodriza.host.line.ABSENT", 0.2)
    assert not talk.controller.ask(False)
    assert "no sign of the controller" in talk.events()[-1]["words"]
    assert not talk.controller.wants_no_more(), "what is begun may end"


def test_machine_that_stood_still__has_not_heard_what_came_meanwhile(talk, monkeypatch):
    """A snapshot or a migration takes minutes, and the controller's signs wait in the pipe."""
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + jump)
    monkeypatch.setattr("nodriza.host.awake.time", clock)
    jump = 0
    threading.Timer(0.7, os.write, (talk.end, TURN)).start()

    def stand_still() -> None:
        nonlocal jump
        jump = 600

    threading.Timer(0.3, stand_still).start()
    assert talk.controller.ask(False)
    assert talk.events() == [{"event": "turn", "serves": False}]


def test_controller_that_is_there__is_waited_for(talk, monkeypatch):
    monkeypatch.setattr("nodriza.host.line.ABSENT", 1)
    for quarter in range(1, 6):
        threading.Timer(quarter / 4, os.write, (talk.end, HERE)).start()
    threading.Timer(1.5, os.write, (talk.end, TURN)).start()
    assert talk.controller.ask(False)


def test_signal__ends_the_waiting(talk):
    threading.Timer(0.05, talk.controller.stopping.set).start()
    assert not talk.controller.ask(False)


def data(*pieces: bytes) -> bytes:
    """As nodriza/ssh/sender.py sends it."""
    packed = zlib.compressobj()
    frames = [frame for frame in (*map(packed.compress, pieces), packed.flush()) if frame]
    return b"".join(DATA + len(each).to_bytes(4, "big") + each for each in [*frames, b""])


def test_source__comes_in_pieces_between_signs_of_life(talk):
    whole = os.urandom(300_000)
    talk.answer(HERE + data(whole) + HERE)
    assert b"".join(talk.controller.fetch("a" * 64, [(0, 3)])) == whole
    assert talk.events() == [{"event": "wants", "sha256": "a" * 64, "parts": [[0, 3]]}]


def test_two_answers__are_told_apart(talk):
    talk.answer(data(b"one"))
    assert b"".join(talk.controller.fetch("a" * 64, [(0, 0)])) == b"one"
    talk.answer(data(b"two"))
    assert b"".join(talk.controller.fetch("a" * 64, [(1, 1)])) == b"two"


def test_source_that_is_taken_slowly__waits_at_the_other_end(talk):
    """Neither end keeps more of it than a few pieces."""
    piece = os.urandom(50_000)
    frames = data(*(piece for _ in range(100)))
    talk.answer(frames)
    coming = talk.controller.fetch("a" * 64, [(1, 1)])
    got = len(next(coming))
    time.sleep(0.5)
    assert talk.sent < 1_000_000 < len(frames)
    assert got + sum(map(len, coming)) == 5_000_000


def test_source_that_nobody_takes_any_more__does_not_keep_a_stop_out(talk):
    coming = talk.controller.fetch("a" * 64, [(1, 1)])
    frames = data(*(os.urandom(50_000) for _ in range(40)))
    talk.answer(frames + TURN)
    next(coming)
    coming.close()  # as when the disk is full
    assert talk.controller._turn.wait(5)


@pytest.mark.parametrize("how", ["stopped", "silent", "damaged"])
def test_source_that_does_not_come__is_told(talk, monkeypatch, how):
    monkeypatch.setattr("nodriza.host.line.ABSENT", 0.3 if how == "silent" else 90)
    if how == "stopped":
        threading.Timer(0.1, talk.controller.stopping.set).start()
    elif how == "damaged":
        talk.answer(DATA + (4).to_bytes(4, "big") + b"what")
    words = {"stopped": "was stopped", "silent": "no sign of", "damaged": "came damaged"}[how]
    with pytest.raises(Stopped if how == "stopped" else HostError, match=words) as error:
        list(talk.controller.fetch("a" * 64, [(0, 0)]))
    assert isinstance(error.value, Stopped) == (how == "stopped"), "a stop is no failure"


def resource(**more: object) -> dict:
    event = {"event": "resource", "id": "file:/a", "status": "changed", "gap": {}}
    return {**event, "diff": "", "words": "", "seconds": 0.1, **more}


EVENTS = [
    {"event": "warning", "words": "a VALUE1111 is near"},
    {"event": "facts", "state": {"links": {"/VALUE1111": ["VALUE1111"]}}},
    {"event": "doing", "id": "command:load VALUE1111"},
    {"event": "restored", "unit": "web", "paths": ["/etc/VALUE1111"]},
    {"event": "owed", "id": "command:VALUE1111", "action": "run", "since": "now"},
    {"event": "error", "words": "VALUE1111: no such file"},
    {"event": "busy", "holder": {"who": "VALUE1111"}},
    resource(id="file:/VALUE1111"),
    resource(gap={"target": ["VALUE1111", "b"]}),
    resource(diff="-VALUE1111\n+b"),
    resource(status="failed", words="a line with VALUE1111"),
    resource(status="skipped", words="after file:/VALUE1111 failed"),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["event"])
def test_event__leaves_without_a_value_whatever_its_kind(event):
    out = io.BytesIO()
    line = EventStream(out, Redactor({"redis": "VALUE1111"}), {})
    line.emit(event)
    said = json.loads(out.getvalue().split(b"\x1e")[1])
    assert "VALUE1111" not in json.dumps(said)
    assert "‹secret:redis›" in json.dumps(said, ensure_ascii=False)
    assert "VALUE1111" not in json.dumps(line.told), "a host remembers it"


def test_diff_of_a_file_with_secrets__shows_no_old_value():
    """An older password, which nobody here knows as one."""
    out = io.BytesIO()
    described = {"file:/a": {"content": "pass ‹secret:redis›\n"}}
    line = EventStream(out, Redactor({"redis": "VALUE1111"}), described)
    line.emit(resource(diff="--- a\n+++ b\n-pass OLDVALUE\n+pass VALUE1111"))
    assert "OLDVALUE" not in out.getvalue().decode()


def test_diff_of_a_file_that_is_closed__is_not_shown():
    out = io.BytesIO()
    line = EventStream(out, Redactor({}), {})
    line.closed = {"file:/a"}
    line.emit(resource(diff="-pass OLDVALUE"))
    assert "OLDVALUE" not in out.getvalue().decode()


def test_words_of_a_failure__are_remembered_up_to_a_bound():
    line = EventStream(io.BytesIO(), Redactor({}), {})
    line.emit(resource(status="failed", words="x" * 5000))
    assert len(line.told["file:/a"]["words"]) == 500


def test_line_that_breaks__winds_the_run_down():
    class Broken(io.BytesIO):
        def write(self, _):
            raise BrokenPipeError

    inside, end = os.pipe()
    line = EventStream(Broken(), Redactor({}), {})
    controller = Controller(inside, line)
    assert not controller.wants_no_more()
    line.emit(resource())
    assert controller.wants_no_more()
    os.close(end)
    assert controller.stopping.wait(5)


def test_end_of_stdin__winds_the_run_down(talk):
    inside, end = os.pipe()
    controller = Controller(inside, talk.controller.line)
    os.close(end)
    assert controller.stopping.wait(5)
    assert controller.wants_no_more()
    assert not controller.ask(True)


def test_agent_that_has_something_in_hand__stays_until_the_controller_leaves(talk):
    inside, end = os.pipe()
    controller = Controller(inside, talk.controller.line)
    stays = threading.Thread(target=controller.stay)
    stays.start()
    stays.join(0.2)
    assert stays.is_alive()
    os.close(end)
    stays.join(5)
    assert not stays.is_alive()


def test_controller_of_which_nothing_is_heard__is_stayed_for_no_longer(talk, monkeypatch):
    """A laptop that sleeps must not keep its colleagues from deploying."""
    monkeypatch.setattr("nodriza.host.line.ABSENT", 0.1)
    stays = threading.Thread(target=talk.controller.stay)
    stays.start()
    stays.join(5)
    assert not stays.is_alive()
