"""How old a node's newest backup is, and the newest one that was restored on trial."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nodriza.ssh.bounded import Line, Number

if TYPE_CHECKING:
    from nodriza.inventory import Cluster
    from nodriza.report.result import NodeResult

M = TypeVar("M", bound=BaseModel)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Done(_Part):
    """A backup, or a trial. Times in seconds since the epoch."""

    run: Line
    at: Number
    of: Number = 0
    seconds: Number = 0


class Failed(_Part):
    """Why the last one failed."""

    at: Number
    why: Line


class Status(_Part):
    """What a node's own program wrote down (templates/backup/run.py)."""

    backup: Done | None = None
    verified: Done | None = None
    due: Number = 0
    verify_due: Number = 0
    failed: Annotated[dict[Line, Failed], Field(max_length=10)] = {}


class First(_Part):
    """When the first ones are due, noted soon after the first provision."""

    backup: Number = 0
    verify: Number = 0


class Told(_Part):
    """What its own program noted of its messages to people (templates/backup/tell.py)."""

    first: First = First()
    failed: Failed | None = None


class Known(NamedTuple):
    """Both."""

    status: Status
    told: Told


def question(cluster: Cluster) -> list[str]:
    """The files that a look reads for it."""
    folder = f"/var/lib/{cluster.app.name}-backup"
    return [] if cluster.backup is None else [f"{folder}/status.json", f"{folder}/told.json"]


def read(result: NodeResult) -> Known | None:
    """``None`` where nothing is to be backed up: such a node has no timer for it."""
    ids = {event["id"] for event in result.resources}
    files = {
        file: said
        for file, said in result.state.get("files", {}).items()
        if f"service:{file.split('/')[3]}.timer" in ids
    }
    if not files:
        return None
    by_name = {file.rpartition("/")[2]: said for file, said in files.items()}
    return Known(
        _as(Status, by_name.get("status.json", "")), _as(Told, by_name.get("told.json", ""))
    )


def _as(shape: type[M], said: str) -> M:
    try:
        return shape.model_validate_json(said) if said else shape()
    except ValidationError:
        return shape()


def wrong(result: NodeResult) -> Iterator[str]:
    """What a person has to know, in words."""
    if known := read(result):
        yield from _wrong(known, result.received)


def _wrong(known: Known, now: float) -> Iterator[str]:
    status, told = known
    for what, failed in status.failed.items():
        yield f"{what} failed {age(now - failed.at)} ago: {failed.why}"
    if told.failed:
        yield f"backup.notify, {age(now - told.failed.at)} ago: {told.failed.why}"
    due = status.due or told.first.backup
    if not status.backup:
        if due and now > due:
            yield f"no backup was ever made; the first was due {age(now - due)} ago"
        return
    if due and now > due:
        yield f"the newest backup is {age(now - status.backup.at)} old: overdue"
    due = status.verify_due or told.first.verify
    if due and now > due:
        newest = f"{age(now - status.verified.of)} old" if status.verified else "none"
        yield f"the newest backup that was restored on trial: {newest}, overdue"


def words(result: NodeResult) -> Iterator[str]:
    """How it is when nothing is wrong, and also else."""
    known = read(result)
    if not known:
        return
    status, now = known.status, result.received
    if not status.backup:
        due = known.told.first.backup
        yield f"no backup yet{f'; the first is due in {age(due - now)}' if due > now else ''}"
        return
    trial = "none was restored on trial yet"
    if status.verified:
        trial = f"the newest that was restored on trial {age(now - status.verified.of)}"
    yield f"newest backup {age(now - status.backup.at)} old, {trial}"


def age(seconds: float) -> str:
    """How long ago, in one word."""
    minutes = max(0, int(seconds // 60))
    if minutes < 120:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h"
    return f"{minutes // 1440} d"
