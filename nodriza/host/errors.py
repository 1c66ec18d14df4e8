"""How a host says no, and what a program said."""

from __future__ import annotations

from typing import (
    NamedTuple,
    Sequence,
)


class HostError(Exception):
    """The host said no. ``str()`` is the host's own words."""


class Stopped(HostError):
    """The run is to end, and what was at work has left everything as it was before."""


class CommandFailed(HostError):
    """A program exited with something else than 0."""

    def __init__(self, result: Result) -> None:
        self.result = result
        words = (result.err.strip() or result.out.strip()).splitlines()
        super().__init__(f"{' '.join(result.argv)}: exit {result.exit}\n" + "\n".join(words[-20:]))


class Result(NamedTuple):
    """What a program said; ``exit`` 127 also means that it, or its user, is not there."""

    argv: Sequence[str]
    exit: int
    out: str
    err: str
