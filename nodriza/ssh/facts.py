"""What a host may answer about itself, as types; ``events.py`` has what it says meanwhile.

One declaration is both the schema that a host's JSON has to fit and the type that everything
further in reads.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, FailFast, Field
from typing_extensions import NotRequired, TypedDict

from nodriza.ssh.bounded import (
    MANY,
    RUN,
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


class Counts(TypedDict):
    """How many resources came to what."""

    ok: Count
    changed: Count
    failed: Count
    skipped: Count


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


class Timer(TypedDict):
    """When a timer's service last began and will next, and how the last run ended; 0: never."""

    last: Number
    next: Number
    result: Line


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
    timers: NotRequired[Annotated[dict[Line, Timer], Field(max_length=1000)]]
    owed: Lines
    marks: Annotated[dict[Line, Lines], Field(max_length=1000)]
    files: NotRequired[Annotated[dict[Line, Text], Field(max_length=100)]]
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
    """What a node has: ``served`` in order, ``current`` or nothing, seals by name, the
    environment of each release, the Python that each environment was made for, and which releases
    its processes work in.
    """

    served: Annotated[list[Served], Field(max_length=1000)]
    current: Name | Literal[""]
    seals: Annotated[dict[Name, Seal], Field(max_length=1000)]
    venvs: Annotated[dict[Name, Name], Field(max_length=1000)]
    working: Annotated[list[Name], Field(max_length=1000)]
    pythons: Annotated[dict[Name, Name | Literal[""]], Field(max_length=1000)]
