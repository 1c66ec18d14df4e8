"""A virtual machine may stand still for minutes: nobody is late who could do nothing."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace

import pytest

from nodriza.host import program
from nodriza.host.awake import Awake


class Clock:
    """The system's, which a test puts forward."""

    def __init__(self, monkeypatch):
        self.jump = 0
        clock = SimpleNamespace(monotonic=lambda: time.monotonic() + self.jump)
        monkeypatch.setattr("nodriza.host.awake.time", clock)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def test_time__counts_while_the_machine_runs():
    awake = Awake()
    time.sleep(0.2)
    assert 0.2 <= awake.seconds() < 0.9
    awake.begin_anew()
    assert awake.seconds() < 0.1


def test_time_in_which_it_stood_still__counts_as_one_second_at_most(clock):
    awake = Awake()
    clock.jump = 600
    assert 0.9 < awake.seconds() <= 1
    clock.jump = 1200
    assert 1.9 < awake.seconds() <= 2


def test_program__is_not_ended_for_it(clock):
    """apt would be left half-way."""

    argv = ("sh", "-c", "sleep 0.3; echo first; sleep 0.3; echo last")
    reads = program.Output.add

    def add(self, data):
        clock.jump += 3600
        return reads(self, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program.Output, "add", add)
        done = program.run(argv, input=b"", env=dict(os.environ), cwd="/", timeout=600)
    assert done.out == "first\nlast\n"
    assert clock.jump >= 3600
