"""How old a node's newest backup is, and the newest one that was restored on trial."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nodriza.ssh.bounded import Line, Number

if TYPE_CHECKING:
    from nodriza.inventory import Cluster
    from nodriza.report.result import NodeResult


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
    failed: Annotated[dict[Line, Failed], Field(max_length=10)] = {}


def question(cluster: Cluster) -> list[str]:
    """The files that a look reads for it."""
    return [] if cluster.backup is None else [f"/var/lib/{cluster.app.name}-backup/status.json"]


def read(result: NodeResult) -> Status | None:
    """``None`` where nothing is to be backed up: such a node has no timer for it."""
    ids = {event["id"] for event in result.resources}
    for file, said in result.state.get("files", {}).items():
        if f"service:{file.split('/')[3]}.timer" in ids:
            try:
                return Status.model_validate_json(said) if said else Status()
            except ValidationError:
                return Status()
    return None


def wrong(result: NodeResult) -> Iterator[str]:
    """What a person has to know, in words."""
    if status := read(result):
        yield from _wrong(status, result.received)


def _wrong(status: Status, now: float) -> Iterator[str]:
    for what, failed in status.failed.items():
        yield f"{what} failed {age(now - failed.at)} ago: {failed.why}"
    if not status.backup:
        yield "no backup was ever made"
        return
    if status.due and now > status.due:
        yield f"the newest backup is {age(now - status.backup.at)} old: overdue"
    if not status.verified:
        yield "no backup was ever restored on trial"


def words(result: NodeResult) -> Iterator[str]:
    """How it is when nothing is wrong, and also else."""
    status = read(result)
    if status and status.backup:
        trial = "none was restored on trial"
        if status.verified:
            of = age(result.received - status.verified.of)
            trial = f"the newest that was restored on trial {of}"
        yield f"newest backup {age(result.received - status.backup.at)} old, {trial}"


def age(seconds: float) -> str:
    """How long ago, in one word."""
    minutes = max(0, int(seconds // 60))
    if minutes < 120:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h"
    return f"{minutes // 1440} d"
