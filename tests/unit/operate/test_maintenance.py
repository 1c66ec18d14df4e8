"""The site closed and opened: what each child is told, and who is told what of it."""

from __future__ import annotations

import pytest

from nodriza.errors import ConnectionFailed, TargetError
from nodriza.operate import maintenance
from nodriza.report.result import NodeResult
from nodriza.resources import Health
from nodriza.watch import health


def child(name, *marks):
    state = {"marks": {Health.AWAY: [], Health.CLOSED: list(marks)}}
    return NodeResult(name, facts={"event": "facts", "state": state})


GONE = NodeResult("server-3", error=ConnectionFailed("no way to the host"))


@pytest.fixture
def planned(monkeypatch, three_node):
    """What every child would be told, from how it was."""

    def switch(before, **options):
        plans = []
        monkeypatch.setattr(maintenance, "look", lambda *_args, **_options: before)
        monkeypatch.setattr(maintenance, "roll_out", lambda _run, given: plans.extend(given) or {})
        maintenance.switch(three_node, None, **options)
        return {plan.node: [planned.resource.id for planned in plan.resources] for plan in plans}

    return switch


def test_on__closes_every_child_and_lets_in_first(planned):
    before = {name: child(name, "known") for name in ("server-2", "server-3")}
    told = planned(before, on=True, allow=["192.0.2.1", " 2001:DB8::1"])
    marks = ["allow-192.0.2.1", "allow-2001:db8::1", "on"]  # as nginx writes addresses
    assert told == {name: [f"file:{Health.CLOSED}/{mark}" for mark in marks] for name in before}


def test_off__forgets_who_was_let_in(planned):
    before = {"server-2": child("server-2", "allow-192.0.2.1", "known", "on"), "server-3": GONE}
    told = planned(before, on=False)
    on = f"absent:{Health.CLOSED}/on"
    assert told == {"server-2": [on, f"absent:{Health.CLOSED}/allow-192.0.2.1"], "server-3": [on]}


def test_web_server_that_does_not_know_of_it_yet__is_refused_before_anything(planned):
    before = {"server-2": child("server-2", "known"), "server-3": child("server-3")}
    with pytest.raises(TargetError, match="server-3: the web server does not know") as refused:
        planned(before, on=True)
    assert refused.value.do == "fab provision:server-3"


def test_child_that_is_away__is_no_old_one(planned):
    assert planned({"server-2": child("server-2", "known"), "server-3": GONE}, on=True)


def test_words__say_who_is_let_in_and_what_differs():
    results = {
        "server-2": child("server-2", "allow-192.0.2.1", "known", "on"),
        "server-3": child("server-3", "known"),
        "server-4": GONE,
    }
    assert list(maintenance.words(results)) == [
        "server-2  closed; let in: 192.0.2.1",
        "server-3  open",
        "server-4  no way to the host",
    ]
    assert not maintenance.is_same(results)
    assert not maintenance.is_same({"server-3": child("server-3"), "server-4": GONE})
    assert maintenance.is_same({"server-3": child("server-3")})


def test_mark__means_maintenance_only_where_the_node_has_answered():
    assert health.maintenance(child("server-2", "known", "on"))
    assert not health.maintenance(child("server-2", "known"))
    assert not health.maintenance(GONE)
