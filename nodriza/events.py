"""What a host may say, as types: each event and each answer, checked where it comes in.

One declaration is both the schema that a host's JSON has to fit and the type that
everything further in reads. Texts in it are clean and bounded (``nodriza.foreign``).
What a host adds to an event is dropped. ``nodriza.ssh.conversation`` checks the order.
"""

from __future__ import annotations

import functools
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    ConfigDict,
    Discriminator,
    FailFast,
    Field,
    TypeAdapter,
    ValidationError,
)
from typing_extensions import NotRequired, TypedDict

from nodriza import foreign

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MANY = 20_000
"""The most of anything in one event."""
RUN = r"^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{1,16}$"

Line: TypeAlias = Annotated[str, AfterValidator(foreign.line)]
Text: TypeAlias = Annotated[str, AfterValidator(foreign.text)]
Number: TypeAlias = Annotated[float, Field(ge=-1e12, le=1e12)]
Seconds: TypeAlias = Annotated[float, Field(ge=0, le=1e9)]
Count: TypeAlias = Annotated[int, Field(ge=0, le=1_000_000)]
Value: TypeAlias = Line | Annotated[int, Field(ge=-(2**63), lt=2**63)] | Number | bool | None
Status: TypeAlias = Literal["ok", "changed", "failed", "skipped"]
Lines: TypeAlias = Annotated[list[Line], Field(max_length=MANY), FailFast()]
Digest: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Gap: TypeAlias = Annotated[dict[Line, tuple[Value, Value]], Field(max_length=100)]
"""Attribute to what is there and what is wanted."""


class Agent(TypedDict):
    """It has no agent, or another one."""

    event: Literal["agent"]


class Start(TypedDict):
    """It has read the request; ``clock`` in seconds since the epoch."""

    event: Literal["start"]
    resources: Annotated[int, Field(ge=0, le=MANY)]
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
    """It asks for parts of a source: first and last of each range (``nodriza.source``)."""

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


class Restored(TypedDict):
    """Files that went back because a service did not like the new ones."""

    event: Literal["restored"]
    unit: Line
    paths: Lines


class Busy(TypedDict):
    """Another run holds the host."""

    event: Literal["busy"]
    holder: Annotated[dict[Line, Line], Field(max_length=20)]


class Failed(TypedDict):
    """It can't go on at all."""

    event: Literal["error"]
    words: Text


class Away(TypedDict):
    """It has left rotation."""

    event: Literal["away"]


class Counts(TypedDict):
    """How many resources came to what."""

    ok: Count
    changed: Count
    failed: Count
    skipped: Count


class End(Counts):
    """It is done."""

    event: Literal["end"]
    seconds: Seconds


class Trouble(TypedDict):
    """The answer to a question that could not be asked."""

    error: Line


class Remembered(TypedDict):
    """What came of a resource in a run of the past."""

    status: Status
    gap: Gap
    words: Text


class Kept(TypedDict):
    """A file that a run replaced, as it was before."""

    path: Line
    type: Line


Run = TypedDict(
    "Run",
    {
        "run": Annotated[str, Field(pattern=RUN)],
        "who": NotRequired[Line],
        "from": NotRequired[Line],
        "when": NotRequired[Line],
        "what": NotRequired[Line],
        "revision": NotRequired[Line],
        "counts": NotRequired[Counts],
        "seconds": NotRequired[Seconds],
    },
)
"""A host's note of a run; without ``counts`` it did not come to its end."""


class Record(Run):
    """The same with what it did (``run.json``, nodriza/agent/journal.py)."""

    kept: Annotated[list[Kept], Field(max_length=MANY), FailFast()]
    resources: NotRequired[Annotated[dict[Line, Remembered], Field(max_length=MANY)]]


def _date(words: str) -> str:
    datetime.strptime(words, END)
    return words


END = "%b %d %H:%M:%S %Y %Z"
"""The end of a certificate as openssl(1) prints it: "Dec 31 23:59:59 2026 GMT"."""
Ill: TypeAlias = tuple[Annotated[int, Field(ge=0, le=999)], Line]
"""Status and words of an HTTP answer; status 0: there was none."""


class State(TypedDict):
    """How a host is (nodriza/agent/answers.py): seconds and per cent, by path or id."""

    system: Line
    uptime: Annotated[int, Field(ge=0, le=10**10)]
    load: Annotated[float, Field(ge=0, le=1e6)]
    memory: Annotated[int, Field(ge=-100, le=100)]
    disk: Annotated[int, Field(ge=-100, le=100)]
    mounts: Annotated[
        dict[Line, Annotated[int, Field(ge=-100, le=100)] | Trouble], Field(max_length=1000)
    ]
    health: Annotated[dict[Line, Ill | Trouble], Field(max_length=100)]
    links: Annotated[dict[Line, Line | Trouble | None], Field(max_length=1000)]
    certificates: Annotated[
        dict[Line, Annotated[str, AfterValidator(_date)] | None], Field(max_length=1000)
    ]
    versions: Annotated[dict[Line, Line], Field(max_length=MANY)]
    owed: Lines
    marks: Annotated[dict[Line, Lines], Field(max_length=1000)]
    reboot: Line
    last_run: Run | None
    clock: Number


Name: TypeAlias = Annotated[str, Field(pattern=r"^[0-9A-Za-z_][0-9A-Za-z_.-]{0,63}$")]
"""Of a release or an environment: it becomes a part of paths."""


class Served(TypedDict):
    """A release that served; ``at`` in seconds since the epoch (nodriza/resources/served.py)."""

    release: Name
    at: Number
    how: Literal["deploy", "rollback"]
    commit: Line


class Seal(TypedDict):
    """What a tree holds, its pack, in bytes, and when it was made, among the others
    (nodriza/resources/sealed.py).
    """

    tree: Digest
    sha256: Digest | Literal[""]
    size: Annotated[int, Field(ge=0, le=10**15)]
    number: Annotated[int, Field(ge=0, le=10**9)]


class Releases(TypedDict):
    """What a node has: ``served`` in order, ``current`` or nothing, seals by name, and the
    environment of each release.
    """

    served: Annotated[list[Served], Field(max_length=1000)]
    current: Name | Literal[""]
    seals: Annotated[dict[Name, Seal], Field(max_length=1000)]
    venvs: Annotated[dict[Name, Name], Field(max_length=1000)]


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
    | Restored
    | Busy
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
