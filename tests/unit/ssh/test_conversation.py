"""What a host may say and when; anything else is that node's failure, and nobody else's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nodriza.ssh import conversation
from nodriza.ssh.conversation import Conversation, Records
from nodriza.ssh.events import NotAnEvent

PLAN = [{"id": "file:/a"}, {"id": "service:web"}]
START = {
    "event": "start",
    "resources": 2,
    "left": {},
    "python": "3.11.2",
    "check": False,
    "clock": 1.0,
}
OK = {"event": "ok", "count": 2}
END = {"event": "end", "ok": 2, "changed": 0, "failed": 0, "skipped": 0, "seconds": 1.0}
TURN = {"event": "turn", "serves": True}
LISTING = {"event": "facts", "listing": {"/etc/a": 1.0}}
ASK = {"listing": ["/etc/*"]}


def resource(id: str, **more: Any) -> dict[str, Any]:
    event = {"event": "resource", "id": id, "status": "changed", "gap": {}, "diff": ""}
    return {**event, "words": "", "seconds": 0.1, **more}


def host(**request: Any) -> Conversation:
    whole = {"mode": "apply", "rollback": "", "whole": True, "ask": {}, "resources": PLAN}
    return Conversation({**whole, **request})


def hear(host: Conversation, *said: Any) -> list[Any]:
    return [event for each in said for event in host.heard(json.dumps(each).encode())]


def test_honest_host__is_heard():
    heard = hear(host(), START, {"event": "ok", "count": 1}, TURN, resource("service:web"), END)
    assert [event["event"] for event in heard] == ["start", "resource", "turn", "resource", "end"]
    assert [event.get("id") for event in heard][1::2] == ["file:/a", "service:web"]


def test_honest_answer__is_heard():
    heard = hear(host(ask=ASK, mode="check"), START, LISTING, OK, END)
    assert heard[1]["listing"] == {"/etc/a": 1.0}


def test_host_that_is_long_at_something__may_say_so_as_often_as_it_takes():
    many = [{"event": "alive"}] * 1000
    heard = hear(host(), START, {"event": "ok", "count": 1}, *many, resource("service:web"), END)
    assert len(heard) == 1004


def test_mark_of_a_login_script__is_noise_until_the_host_has_begun():
    noisy = host()
    assert list(noisy.heard(b"{")) == []
    assert len(hear(noisy, {"event": "agent"}, START)) == 2
    with pytest.raises(NotAnEvent, match="Invalid JSON"):
        list(noisy.heard(b"{"))


def test_marks_of_a_login_script_without_end__end():
    noisy = host()
    with pytest.raises(NotAnEvent, match="events"):
        [list(noisy.heard(b"{")) for _ in range(1000)]


DISHONEST = {
    "a life before the begin": [{"event": "alive"}],
    "an end without a begin": [END],
    "a resource before the begin": [resource("file:/a")],
    "two begins": [START, START],
    "another plan": [{**START, "resources": 3}],
    "more than its plan, counted": [START, {"event": "ok", "count": 3}],
    "more than its plan, told": [START, OK, resource("file:/b")],
    "another resource": [START, resource("file:/b")],
    "another order": [START, resource("service:web")],
    "one resource twice": [START, resource("file:/a"), resource("file:/a")],
    "an end too early": [START, {"event": "ok", "count": 1}, END],
    "an answer to nothing": [START, LISTING],
    "the agent once more": [START, {"event": "agent"}],
    "an unknown event": [START, {"event": "shell", "run": "rm"}],
    "an event without its fields": [{"event": "start"}],
    "what goes and is planned": [{**START, "resources": 3, "left": {"file:/a": 0}}],
    "what goes and is not counted": [{**START, "left": {"file:/x": 0}}],
    "what goes in another place": [
        {**START, "resources": 3, "left": {"file:/x": 1}},
        resource("file:/x"),
    ],
    "what goes and is not told": [{**START, "resources": 3, "left": {"file:/x": 0}}, OK, END],
    "a list": [[START]],
    "a number": [7],
}


@pytest.mark.parametrize("what", DISHONEST)
def test_host_that_says_something_else__is_not_believed(what):
    with pytest.raises(NotAnEvent):
        hear(host(), *DISHONEST[what])


def test_host_that_takes_away_what_it_had_made__is_heard_in_its_place():
    start = {**START, "resources": 3, "left": {"file:/x": 1}}
    kept = {"event": "kept", "things": {"file:/y": "somebody else has changed it"}}
    count = {"event": "ok", "count": 1}
    heard = hear(host(), start, kept, count, resource("file:/x"), count, END)
    assert [event.get("id") for event in heard[2:5]] == ["file:/a", "file:/x", "service:web"]


def test_host_that_takes_something_away_in_a_part_of_a_plan__is_not_believed():
    with pytest.raises(NotAnEvent, match="not asked to"):
        hear(host(whole=False), {**START, "resources": 3, "left": {"file:/x": 0}})


SOURCE, OTHER = "a" * 64, "b" * 64
UPLOAD = [{"id": "upload:/app", "kind": "Upload", "sha256": SOURCE, "files": 9}, PLAN[1]]


def wants(*parts: list[int], sha256: str = SOURCE) -> dict[str, Any]:
    return {"event": "wants", "sha256": sha256, "parts": parts}


def test_host_that_asks_for_its_source__is_heard():
    heard = hear(
        host(resources=UPLOAD), START, wants([0, 0]), wants([1, 3], [5, 5]), wants([9, 9])
    )
    assert [event["event"] for event in heard] == ["start", "wants", "wants", "wants"]
    assert heard[2]["parts"] == [(1, 3), (5, 5)]


GREEDY = {
    "another host's source": [wants([0, 0], sha256=OTHER)],
    "a part that is not there": [wants([9, 10])],
    "parts from behind": [wants([3, 2])],
    "the same part in one question": [wants([1, 3], [3, 4])],
    "the same part once more": [wants([1, 3]), wants([2, 2])],
    "a part below nought": [wants([-1, 3])],
    "more ranges than anybody has": [wants(*([0, 0] for _ in range(30_000)))],
}


@pytest.mark.parametrize("what", GREEDY)
def test_host_that_asks_for_what_is_not_for_it__is_not_served(what):
    with pytest.raises(NotAnEvent):
        hear(host(resources=UPLOAD), START, *GREEDY[what])


def test_host_that_is_only_looked_at__asks_for_no_source():
    with pytest.raises(NotAnEvent):
        hear(host(resources=UPLOAD, mode="check"), START, wants([0, 0]))


def test_host_that_is_only_looked_at__asks_for_no_turn():
    with pytest.raises(NotAnEvent, match="only looked at"):
        hear(host(mode="check"), START, TURN)


@pytest.mark.parametrize(
    "said",
    [
        [START, OK, END],
        [START, LISTING, LISTING],
        [START, {"event": "facts", "history": []}],
        [START, {"event": "facts", "listing": {"/root/.ssh/id": 1.0}}],
    ],
    ids=["no answer", "two answers", "another answer", "another folder"],
)
def test_answer__is_one_and_to_what_was_asked(said):
    with pytest.raises(NotAnEvent):
        hear(host(ask=ASK), *said)


def test_events_without_end__end():
    chatter = host()
    hear(chatter, START)
    words = {"event": "warning", "words": "still here"}
    with pytest.raises(NotAnEvent, match="events"):
        hear(chatter, *[words] * 1000)


def feed(records: Records, *data: bytes) -> list[bytes]:
    return [record for each in data for record in records.feed(each)]


def test_records__are_told_from_noise_however_they_are_cut():
    stream = b'motd\n\x1e{"a":1}\nnoise \x1e{"b":2}\nmore\n'
    for cut in range(len(stream)):
        assert feed(Records(), stream[:cut], stream[cut:]) == [b'{"a":1}', b'{"b":2}']


def test_record_without_end__is_refused(monkeypatch):
    monkeypatch.setattr(conversation, "RECORD", 1000)
    with pytest.raises(NotAnEvent, match="a record of more"):
        feed(Records(), b"\x1e" + b"x" * 600, b"x" * 600)


def test_record_that_is_too_long__is_refused_also_when_it_comes_whole(monkeypatch):
    monkeypatch.setattr(conversation, "RECORD", 1000)
    with pytest.raises(NotAnEvent, match="a record of more"):
        feed(Records(), b"\x1e" + b"x" * 2000 + b"\n")


def test_noise_without_end__is_not_kept(monkeypatch):
    monkeypatch.setattr(conversation, "RECORD", 1000)
    records = Records()
    feed(records, *[b"." * 600] * 50)
    assert len(records._line) <= 1600
    assert feed(records, b'\n\x1e{"a":1}\n') == [b'{"a":1}']


def test_stream_without_end__is_refused(monkeypatch):
    monkeypatch.setattr(conversation, "ALL", 10_000)
    with pytest.raises(NotAnEvent, match="more than"):
        feed(Records(), *[b"motd\n" * 100] * 30)
