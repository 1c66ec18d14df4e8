"""Types of what a host may say: each text is clean, and everything has a bound.

``nodriza.ssh.facts`` and ``nodriza.ssh.events`` declare with them what comes in.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, FailFast, Field

from nodriza import foreign

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
