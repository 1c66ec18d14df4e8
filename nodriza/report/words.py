"""How events read: the same words on every kind of output."""

from __future__ import annotations

from typing import Any

from nodriza import foreign
from nodriza.report.result import NodeResult
from nodriza.ssh.events import Doing, Event, Owed, Resource, Sending
from nodriza.ssh.facts import Remembered

_LONGEST = 40  # characters of a value; more says less


STOPPING = "stops after the resource that it is at; Ctrl-C again to leave it at once"


_AT_WORK = {
    "connecting": "is connected to",
    "connected": "is sent its plan",
    "start": "looks",
    "turn": "waits for its turn",
    "away": "out of rotation",
    "warning": "is at work",
}


def status(event: Resource | Remembered, *, check: bool = False) -> str:
    """The status as a person reads it."""
    word = event["status"]
    if word != "changed":
        return word
    goes = "left" in event["gap"]
    return f"would {'remove' if goes else 'change'}" if check else "removed" if goes else word


def details(event: Resource | Remembered) -> str:
    """What differs, and what was done beyond it: "mode 0644 → 0600, reload"."""
    parts = [_difference(key, *pair) for key, pair in event["gap"].items()]
    if event["status"] == "changed" and event["words"]:
        parts.append(foreign.line(event["words"]))
    return ", ".join(part for part in parts if part)


def kept(why: str) -> str:
    """Of what stays where an earlier plan had made it."""
    return f"not planned any more, {foreign.line(why)}"


def first_line(event: Resource | Remembered) -> str:
    """The beginning of what the host said; the recap has it all."""
    return (event["words"].strip().splitlines() or [""])[0]


def _difference(key: str, now: Any, wanted: Any) -> str:
    if key == "left":
        return "not planned any more"
    if key == "exists":
        return "new" if wanted else "goes away"
    if key == "installed":
        return "install" if wanted else "remove"
    if key == "sha256":
        return "content"
    if isinstance(wanted, bool) and now in (True, False, None):
        return key if wanted else f"not {key}"
    pair = [_value(now), _value(wanted)]
    if "hidden" in pair or any(len(value) > _LONGEST or "\n" in value for value in pair):
        return key
    return f"{key} {pair[0]} → {pair[1]}"


def _value(value: Any) -> str:
    if value is None or value == "":
        return "nothing"
    return "yes" if value is True else "no" if value is False else str(value)


def doing(event: Doing) -> str:
    """What a node is busy with, short enough for a line."""
    ids = event["id"].split(" ")
    if len(ids) > 1 and all(":" in word for word in ids):
        return f"{ids[0]} and {len(ids) - 1} more"
    return event["id"]


def at_work_on(event: Event, before: str) -> str:
    """What a node is at after an event, for a sign of life."""
    if event["event"] == "sending":
        return sending(event)
    return _AT_WORK.get(event["event"]) or str(event.get("id", before))


def sending(event: Sending) -> str:
    """How far a source is on its way."""
    return f"takes the source: {event['sent'] >> 20} of {event['of'] >> 20} MB"


def owed(event: Owed) -> str:
    """What an earlier run left due."""
    since = f", due since {event['since']}" if event["since"] else ""
    return f"{event['id']} ({event['action']}{since}: an earlier run left it)"


def duration(seconds: float) -> str:
    """0.4 s, 12.3 s, 4:05, 1:02:03."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def outcome(result: NodeResult, check: bool) -> str:
    """A node's result in a few words."""
    if result.error is not None:
        return (result.error.what.splitlines() or ["failed"])[0]
    parts = [f"{result.failed} failed"] if result.failed else []
    if result.changed:
        parts.append(f"{result.changed} would change" if check else f"{result.changed} changed")
    if result.skipped:
        parts.append(f"{result.skipped} skipped")
    return ", ".join(parts) or "nothing to change"
