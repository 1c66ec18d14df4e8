"""What the controller says to an agent that is at work, and what its silence means."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Iterator

import pytest

from nodriza.agent.line import HERE, TURN, Controller, Line
from nodriza.agent.redact import Redactor


class Talk:
    """An agent's ``Controller``, and the end of the pipe that the real one has."""

    def __init__(self) -> None:
        inside, self.end = os.pipe()
        self.out = io.BytesIO()
        self.controller = Controller(inside, Line(self.out, Redactor({}), {}))

    def say_soon(self, word: bytes) -> None:
        threading.Timer(0.05, os.write, (self.end, word)).start()

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
    monkeypatch.setattr("nodriza.agent.line.ABSENT", 0.3)
    talk.say_soon(TURN)
    assert talk.controller.ask(False)
    assert not talk.controller.ask(True)


def test_controller_that_is_silent__is_not_waited_for(talk, monkeypatch):
    """A laptop that sleeps holds no host."""
    monkeypatch.setattr("nodriza.agent.line.ABSENT", 0.2)
    assert not talk.controller.ask(False)
    assert "no sign of the controller" in talk.events()[-1]["words"]
    assert not talk.controller.wants_no_more(), "what is begun may end"


def test_controller_that_is_there__is_waited_for(talk, monkeypatch):
    monkeypatch.setattr("nodriza.agent.line.ABSENT", 0.2)
    for tenths in range(1, 6):
        threading.Timer(tenths / 10, os.write, (talk.end, HERE)).start()
    threading.Timer(0.6, os.write, (talk.end, TURN)).start()
    assert talk.controller.ask(False)


def test_signal__ends_the_waiting(talk):
    threading.Timer(0.05, talk.controller.stopping.set).start()
    assert not talk.controller.ask(False)
