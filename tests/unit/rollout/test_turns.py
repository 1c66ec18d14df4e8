"""Who may change, and when."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest

from nodriza.errors import ConnectionFailed, HostRefused, TargetError
from nodriza.report.result import NodeResult
from nodriza.rollout.turns import Turns, how_many, refuse_bad_serial

WELL, ILL = NodeResult("a"), NodeResult("a", error=HostRefused("no"))


def turns(serial: int, max_failures: int = 0, **before: str) -> Turns:
    """``before`` has a node's name, and the names of those that it waits for."""
    waits = {name: others.split() for name, others in before.items()}
    return Turns(serial, max_failures, threading.Event(), waits)


def all_done(threads: Iterable[threading.Thread]) -> None:
    """Within seconds; one that waits for ever fails its test, and no other."""
    begun = list(threads)
    for thread in begun:
        thread.start()
    for thread in begun:
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("serial", "children", "many"),
    [("1", 9, 1), ("25%", 8, 2), ("25%", 3, 1), ("100%", 7, 7), ("3", 2, 3)],
)
def test_serial__is_a_number_or_a_part_of_the_children(serial, children, many):
    assert how_many(serial, children) == many


@pytest.mark.parametrize("serial", ["0", "0%", "101%", "-1", "two", "5 %", "1.5"])
def test_serial__that_can_t_be_is_refused(serial):
    with pytest.raises(TargetError, match="--serial"):
        refuse_bad_serial(serial)


def test_never_more_than_serial_at_once():
    many = turns(2)
    at_work: list[int] = []
    count, lock = 0, threading.Lock()

    def node(name: str) -> None:
        nonlocal count
        assert many.take(name, serves=True)
        with lock:
            count += 1
            at_work.append(count)
        time.sleep(0.01)
        with lock:
            count -= 1
        many.end(name, WELL)

    all_done(threading.Thread(target=node, args=(name,), daemon=True) for name in "abcdefghij")
    assert len(at_work) == 10
    assert max(at_work) == 2


def test_after_a_failure__nobody_else_gets_a_turn():
    many = turns(1)
    assert many.take("a", serves=True)
    many.end("a", ILL)
    assert not many.take("b", serves=True)
    assert many.failed == ["a"]


def test_max_failures__are_borne():
    many = turns(1, max_failures=1)
    for name, goes_on in (("a", True), ("b", True), ("c", False)):
        assert many.take(name, serves=True) is goes_on
        many.end(name, ILL)


def test_node_that_never_asked__stops_nobody():
    """One that could not be reached, say: it has taken nothing away."""
    many = turns(1)
    many.end("unreachable", ILL)
    assert many.take("b", serves=True)


def test_ctrl_c__ends_the_waiting():
    many = turns(1)
    assert many.take("a", serves=True)
    came = []
    waiting = threading.Thread(
        target=lambda: came.append(many.take("b", serves=True)), daemon=True
    )
    threading.Timer(0.05, many.stop.set).start()
    all_done([waiting])
    assert came == [False]


def test_node__begins_when_those_it_needs_have_begun_and_changes_when_they_are_done():
    many = turns(1, child="central", video="central")
    with ThreadPoolExecutor(2) as pool:
        begun = pool.submit(many.begin, "child")
        turn = pool.submit(many.take, "video", serves=False)
        time.sleep(0.05)
        assert not begun.done()
        assert many.begin("central")
        many.begun("central")
        assert begun.result(timeout=5)
        assert many.take("central", serves=False)
        assert not turn.done()
        many.end("central", WELL)
        assert turn.result(timeout=5)


def test_node_that_needs_two__waits_for_both():
    many = turns(1, central="data queue", child="central data queue")
    with ThreadPoolExecutor(1) as pool:
        turn = pool.submit(many.take, "central", serves=False)
        many.end("data", WELL)
        time.sleep(0.05)
        assert not turn.done()
        many.end("queue", WELL)
        assert turn.result(timeout=5)


def test_node_that_failed__leaves_alone_those_who_need_it_however_many_failures_are_borne():
    many = turns(1, max_failures=5, looked_at="central", late="central")
    many.begun("central")
    assert many.begin("looked_at")
    many.end("central", ILL)
    assert not many.take("looked_at", serves=False)
    assert not many.begin("late")
    assert many.begin("of another kind")
    assert many.failed == ["central"]


def test_node_that_was_left_alone__leaves_alone_those_who_need_it_and_is_no_failure_of_its_own():
    many = turns(1, max_failures=5, central="data", child="central")
    many.end("data", ILL)
    assert not many.begin("central")
    many.end("central", NodeResult("central", error=HostRefused("left alone"), denied=True))
    assert not many.begin("child")
    assert many.failed == ["data"]


def test_nodes_that_serve_nobody__go_on_side_by_side():
    many = turns(1)
    assert many.take("a", serves=True)
    for name in "bcd":
        assert many.take(name, serves=False)


def test_nodes_that_change_together__wait_until_all_have_asked_or_are_at_their_end():
    many = Turns(2, 0, threading.Event(), together=("a", "b", "c"))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(many.take, "a", serves=True)
        many.end("c", WELL)  # had nothing to change
        time.sleep(0.05)
        assert not first.done()
        second = pool.submit(many.take, "b", serves=True)
        assert first.result(timeout=5)
        assert second.result(timeout=5)


def test_nodes_that_change_together__do_not_when_one_fails_before_its_turn():
    many = Turns(1, 5, threading.Event(), together=("a", "b"))
    many.end("b", ILL)
    assert many.failed == ["b"]
    assert not many.take("a", serves=True)


def test_nodes_that_change_together__wait_for_none_that_nobody_got_to():
    many = Turns(1, 0, threading.Event(), together=("a", "b"))
    many.end("b", NodeResult("b", error=ConnectionFailed("no way to the host")))
    assert many.take("a", serves=True)
