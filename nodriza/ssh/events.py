"""What a host may say, as types: each event and each answer, checked where it comes in.

One declaration is both the schema that a host's JSON has to fit and the type that
everything further in reads. Texts in it are clean and bounded (``nodriza.ssh.bounded``).
What a host adds to an event is dropped. ``nodriza.ssh.conversation`` checks the order.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import (
    ConfigDict,
    Discriminator,
    FailFast,
    Field,
    TypeAdapter,
    ValidationError,
)
from typing_extensions import NotRequired, TypedDict

from nodriza import foreign
from nodriza.ssh.bounded import (
    MANY,
    Count,
    Digest,
    Gap,
    Line,
    Lines,
    Number,
    Seconds,
    Status,
    Text,
)
from nodriza.ssh.facts import Counts, Record, Releases, State

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class Agent(TypedDict):
    """It has no agent, or another one."""

    event: Literal["agent"]


class Start(TypedDict):
    """It has read the request; ``clock`` in seconds since the epoch. ``left``: ids that an earlier
    plan made and this one does not have, and the place in it where each goes.
    """

    event: Literal["start"]
    resources: Annotated[int, Field(ge=0, le=MANY)]
    left: Annotated[dict[Line, Count], Field(max_length=MANY)]
    python: Line
    check: bool
    clock: Number


class Ok(TypedDict):
    """So many resources in a row are as wanted."""

    event: Literal["ok"]
    count: Count


class Resource(TypedDict):
    """What came of one resource."""

    event: Literal["resource"]
    id: Line
    status: Status
    gap: Gap
    diff: Text
    words: Text
    seconds: Seconds
    origin: NotRequired[Line]
    """The role's file and line; the controller writes it, whatever a host said."""


class Doing(TypedDict):
    """What it begins with: one or more ids."""

    event: Literal["doing"]
    id: Line


class Alive(TypedDict):
    """It is still at what it is doing; once a minute."""

    event: Literal["alive"]


class Owed(TypedDict):
    """What an earlier run left due."""

    event: Literal["owed"]
    id: Line
    action: Line
    since: Line


class Turn(TypedDict):
    """It asks for its turn to change; ``serves``: visitors are sent to it."""

    event: Literal["turn"]
    serves: bool


class Wants(TypedDict):
    """It asks for parts of a source: first and last of each range (``nodriza.source.tree``)."""

    event: Literal["wants"]
    sha256: Digest
    parts: Annotated[list[tuple[Count, Count]], Field(max_length=MANY), FailFast()]


class Warn(TypedDict):
    """Words for the operator."""

    event: Literal["warning"]
    words: Line


class Note(TypedDict):
    """What it is about to do, or has found, in words: nothing is wrong."""

    event: Literal["note"]
    words: Line


class Kept(TypedDict):
    """What an earlier plan made, and stays: id to why."""

    event: Literal["kept"]
    things: Annotated[dict[Line, Line], Field(max_length=MANY)]


class Restored(TypedDict):
    """Files that went back because a service did not like the new ones."""

    event: Literal["restored"]
    unit: Line
    paths: Lines


class Busy(TypedDict):
    """Another run holds the host."""

    event: Literal["busy"]
    holder: Annotated[dict[Line, Line], Field(max_length=20)]


class Moved(TypedDict):
    """Jobs whose data is kept elsewhere from now on, each with who kept it; it changes nothing."""

    event: Literal["moved"]
    jobs: Annotated[dict[Line, Line], Field(max_length=20)]


class Failed(TypedDict):
    """It can't go on at all."""

    event: Literal["error"]
    words: Text


class Away(TypedDict):
    """It has left rotation."""

    event: Literal["away"]


class End(Counts):
    """It is done."""

    event: Literal["end"]
    seconds: Seconds


class Facts(TypedDict):
    """The answers to what was asked, and nothing else."""

    event: Literal["facts"]
    state: NotRequired[State]
    history: NotRequired[Annotated[list[Record], Field(max_length=1000), FailFast()]]
    listing: NotRequired[Annotated[dict[Line, Number], Field(max_length=MANY)]]
    releases: NotRequired[Releases]
    strays: NotRequired[Lines]


class Moment(TypedDict):
    """What the controller itself says of a node on its way; never from a host."""

    event: Literal["connecting", "connected", "stopping"]


class Sending(TypedDict):
    """The controller sends a source: so many bytes of so many."""

    event: Literal["sending"]
    sent: int
    of: int


Said: TypeAlias = (
    Agent
    | Start
    | Ok
    | Resource
    | Doing
    | Alive
    | Owed
    | Turn
    | Wants
    | Warn
    | Note
    | Kept
    | Restored
    | Busy
    | Moved
    | Failed
    | Away
    | End
    | Facts
)
Event: TypeAlias = Said | Moment | Sending
"""What reports are told: what a host said, or what the controller itself says."""


class NotAnEvent(ValueError):
    """A record that fits no event; ``str()`` says where it does not."""


class NotJson(NotAnEvent):
    """A record that is no JSON text at all."""


def read(record: bytes) -> Event:
    """The event of one record. Raises ``NotAnEvent``, and ``NotJson`` for what is none."""
    try:
        event: Event = _adapter().validate_json(record, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        kind = NotJson if first["type"] == "json_invalid" else NotAnEvent
        raise kind(_words(first)) from None
    return event


def prepare() -> None:
    """Make the schema ready, which takes a few hundredths of a second, before it is needed."""
    _adapter()


@functools.cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(
        Annotated[Said, Discriminator("event")],
        config=ConfigDict(strict=True, allow_inf_nan=False),
    )


def _words(first: ErrorDetails) -> str:
    where = ".".join(str(part) for part in first["loc"])
    return foreign.line(f"{where}: {first['msg']}" if where else first["msg"], 300)
