"""A host's side of one run: bytes become events, and what does not fit ends that node's run.

Three bounds keep a host from filling this computer: bytes in all, bytes of one record, and
the number of events that a plan can cause. The order counts as well: a host that says it
is done must have spoken of every resource, once, in the order of the plan, and must have
answered every question. A host's root can still lie about what it did; it can't leave
something out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nodriza import foreign
from nodriza.ssh import events, facts
from nodriza.ssh.events import Event, NotAnEvent

RS = b"\x1e"
RECORD = 1024 * 1024
"""Bytes of one event; the agent sends no longer one (nodriza/host/line.py)."""
ALL = 64 * 1024 * 1024
"""Bytes of all events and of whatever else a host prints among them."""
MOMENTS = 100
"""Events of a run that belong to no resource: its begin, its end, turns, warnings."""
EACH = 6
"""Events that one resource can cause: owed, doing, restored, a warning or two, what came of it."""
LAST = ("end", "busy", "moved", "error")
"""Nobody waits for more: a process that has looked at a share which hangs ends when the share
does (signal(7) can't end it)."""


class Records:
    """Cuts a stream into JSON text sequence records (RFC 7464); what stands before RS is noise.

    ``feed`` costs time by the bytes it is given, however long a line becomes.
    """

    def __init__(self) -> None:
        self._line = bytearray()
        self._bytes = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The records that end in ``data``. Raises ``NotAnEvent`` when it is too much."""
        self._bytes += len(data)
        if self._bytes > ALL:
            raise NotAnEvent(f"more than {ALL >> 20} MB")
        if not self._line and RS not in data:
            return  # what a login script prints may be long
        *ends, rest = data.split(b"\n")
        for end in ends:
            self._line += end
            if self._kept():
                yield bytes(self._line[1:])
            self._line = bytearray()
        self._line += rest
        self._kept()

    def _kept(self) -> bool:
        """Keep of the line what begins with its last mark: JSON has none in it."""
        self._line = self._line[max(self._line.rfind(RS), 0) :]
        if not self._line.startswith(RS):
            self._line = bytearray()
        if len(self._line) > RECORD:
            raise NotAnEvent(f"a record of more than {RECORD >> 10} kB")
        return bool(self._line)


class Conversation:
    """What one host says to one request, event by event.

    ``heard`` takes one record and yields what it means; it raises ``NotAnEvent``.
    """

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._ids: Sequence[str] = [resource["id"] for resource in request["resources"]]
        self._looks = request["mode"] == "check"
        self._rollback = bool(request["rollback"])
        self._whole = bool(request["whole"])
        self._ask: Mapping[str, Any] = request["ask"]
        uploads = [each for each in request["resources"] if each.get("kind") == "Upload"]
        self._parts = {each["sha256"]: range(each["files"] + 1) for each in uploads}
        """Of each source, those that were not sent yet: nobody asks for a part twice."""
        self._at = 0
        self._expected = len(self._ids)
        self._seen = 0
        self._started = self._answered = False

    def heard(self, record: bytes) -> Iterator[Event]:
        """The events that a record stands for: each resource has one of its own again.

        Before the host has begun, what is no JSON is a login script's, which may print RS too.
        """
        try:
            event = events.read(record)
        except events.NotJson:
            self._count()
            if self._started:
                raise
            return
        if event["event"] == "alive":  # as many as it takes minutes; of bytes there is a bound
            if not self._started:
                raise NotAnEvent("alive before it had begun")
            yield event
            return
        self._count()
        if event["event"] == "start":
            self._start(event)
        elif not self._started and event["event"] not in ("agent", "doing", *LAST[1:]):
            raise NotAnEvent(f"{event['event']} before it had begun")
        if event["event"] == "ok":
            yield from self._ok(event["count"])
            return
        if event["event"] == "agent" and self._started:
            raise NotAnEvent("it asks for the agent that is at work")
        if event["event"] == "moved" and not self._whole:
            raise NotAnEvent("it minds where data is, and is not asked to")
        if event["event"] == "turn" and self._looks:
            raise NotAnEvent("it asks to change something, and is only looked at")
        if event["event"] == "resource":
            self._resource(event["id"])
        elif event["event"] == "wants":
            self._wants(event)
        elif event["event"] == "facts":
            self._facts(event)
        elif event["event"] == "end":
            self._end()
        yield event

    def _count(self) -> None:
        self._seen += 1
        if self._seen > MOMENTS + EACH * self._expected:
            raise NotAnEvent(f"more than {self._seen - 1} events")

    def _start(self, event: events.Start) -> None:
        if self._started:
            raise NotAnEvent("it begins twice")
        self._started = True
        self._goes(event["left"])
        if self._rollback:  # its resources are the files of a run that only the host knows
            self._expected = event["resources"]
        elif event["resources"] != self._expected:
            raise NotAnEvent(
                f"a plan of {event['resources']} resources: {self._expected} were sent"
            )

    def _goes(self, left: Mapping[str, int]) -> None:
        """What only the host knows of is spoken of in its place, and once."""
        if left and not self._whole:
            raise NotAnEvent("it takes away what was made here, and is not asked to")
        if not left.keys().isdisjoint(self._ids):
            raise NotAnEvent("it takes away what is planned")
        ids = list(self._ids)
        for id, at in sorted(left.items(), key=lambda item: item[1]):
            ids.insert(at, id)
        self._ids, self._expected = ids, len(ids)

    def _ok(self, count: int) -> Iterator[Event]:
        if self._rollback or self._at + count > self._expected:
            raise NotAnEvent("more resources than the plan has")
        begin, self._at = self._at, self._at + count
        for id in self._ids[begin : self._at]:
            yield {
                "event": "resource",
                "id": id,
                "status": "ok",
                "gap": {},
                "diff": "",
                "words": "",
                "seconds": 0.0,
            }

    def _resource(self, id: str) -> None:
        if self._at >= self._expected:
            raise NotAnEvent("more resources than the plan has")
        if not self._rollback and id != foreign.line(self._ids[self._at]):
            raise NotAnEvent(f"{id} in the place of {self._ids[self._at]}")
        self._at += 1

    def _wants(self, event: events.Wants) -> None:
        if self._looks or event["sha256"] not in self._parts:
            raise NotAnEvent("it asks for a source that is not for it")
        for first, last in event["parts"]:
            left = self._parts[event["sha256"]]
            if first > last or first not in left or last not in left:
                raise NotAnEvent(f"it asks for the parts {first} to {last} of a source")
            self._parts[event["sha256"]] = range(last + 1, left.stop)

    def _facts(self, event: events.Facts) -> None:
        if self._answered:
            raise NotAnEvent("it answers twice")
        self._answered = True
        if event.keys() - {"event"} != self._ask.keys():
            raise NotAnEvent("it answers something else than was asked")
        if "state" in event:
            _refuse_other_state(event["state"], self._ask["state"])
        begins = tuple(pattern.partition("*")[0] for pattern in self._ask.get("listing", ()))
        if not all(path.startswith(begins) for path in event.get("listing", ())):
            raise NotAnEvent("it lists other folders than were asked for")

    def _end(self) -> None:
        if self._at != self._expected:
            raise NotAnEvent(f"done after {self._at} of {self._expected} resources")
        if self._ask and not self._answered:
            raise NotAnEvent("done without an answer to what was asked")


def _refuse_other_state(state: facts.State, about: Mapping[str, Any]) -> None:
    for name, said in (
        ("links", state["links"]),
        ("certificates", state["certificates"]),
        ("marks", state["marks"]),
    ):
        if said.keys() != set(about[name]):
            raise NotAnEvent(f"state.{name} is about something else than was asked")
