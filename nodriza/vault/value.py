"""What a secret's name and value may be, and where a value fits.

A value is taken as it is: the key of a cloud, a DSN, a passphrase with blanks, a private key
or another text of several lines. Where it is written, it is escaped (``env`` in templates, the
password of a URL), or stands alone on its line; anywhere else only letters, digits and a few
signs are right in every kind of file, and another value is refused before it gets there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nodriza.errors import SecretError
from nodriza.host.redact import IN_URL
from nodriza.resources import to_data
from nodriza.vault.token import ESCAPED, NAME, OTHER, TOKEN, names_in

if TYPE_CHECKING:
    from nodriza.plan.plan import Plan

SHORTEST = 8
"""Characters; a shorter one would be taken out of texts that have nothing to do with it."""
LONGEST = 32_768
"""Bytes, a quarter of what one variable of a process may have (execve(2), MAX_ARG_STRLEN)."""
NEXT = ".next"
OLD = ".old"
"""After a name, while it is being rotated: the value that comes, the one that goes."""
PLAIN = re.compile(r"[A-Za-z0-9._~+/=:@,-]*")
"""What needs no quoting in nginx, SQL, systemd, ini, YAML, an environment file or a shell."""
_REFUSED = re.compile(r"[^ -~\n]")
_KINDS = {"\t": "a tab", "\r": "a carriage return (the file is from Windows: tr -d '\\r')"}


def refuse_bad(values: Mapping[str, str]) -> None:
    """Raise ``SecretError`` for a name or a value that can't be kept; it never shows a value."""
    for name, value in values.items():
        if not re.fullmatch(rf"{NAME}(?:\{NEXT}|\{OLD})?", name):
            raise SecretError(
                f"{name!r} can't be the name of a secret",
                kept="nothing was written",
                do="use small letters, digits and underscores only",
            )
        if why := _why_not(value):
            raise SecretError(
                f"the value of {name} can't be used: {why}",
                kept="nothing was written",
                do="use printable ASCII, in one line or several; encode the rest (base64)",
            )


def _why_not(value: str) -> str:
    if len(value) < SHORTEST:
        return f"it is shorter than {SHORTEST} characters"
    if len(value) > LONGEST:
        return f"it is longer than {LONGEST} bytes"
    if found := _REFUSED.search(value):
        char = found.group()
        kind = _KINDS.get(char, f"a character that is not printable ASCII (U+{ord(char):04X})")
        return f"it has {kind} in it"
    if value != value.strip():
        return "it begins or ends with a blank, which nobody sees"
    return ""


@dataclass(frozen=True)
class Use:
    """A place of a plan that has a secret; ``bare``: with nothing that protects a value there."""

    node: str
    id: str
    origin: str
    name: str
    bare: bool


def uses(plans: Iterable[Plan]) -> Iterator[Use]:
    """Every place where a plan has a secret."""
    for plan in plans:
        for planned in plan.resources:
            resource = planned.resource
            if names_in(str(resource)):
                for name, bare in _in(to_data(resource)):
                    yield Use(plan.node, resource.id, planned.origin, name, bare)


def refuse_unfit(plans: Iterable[Plan], values: Mapping[str, str]) -> None:
    """Raise ``SecretError`` for a value that would be wrong where a plan has it."""
    special = {name for name, value in values.items() if not PLAIN.fullmatch(value)}
    if not special:
        return
    for use in uses(plans):
        if use.bare and use.name in special:
            path = use.id.partition(":")[2]
            raise SecretError(
                f"the value of {use.name.removesuffix(OTHER)} does not fit into {path} on"
                f" {use.node}: it has characters that need quoting there",
                where=use.origin,
                kept="nothing was changed",
                do="set one of letters, digits and . _ ~ + / = : @ , - only; or write it in"
                ' double quotes that a program reads as a shell does: "{{ secret(…) | env }}"',
            )


def _in(data: Any) -> Iterator[tuple[str, bool]]:
    if isinstance(data, dict):
        data = list(data.values())
    if isinstance(data, (list, tuple)):
        for each in data:
            yield from _in(each)
    elif isinstance(data, str):
        for line in data.splitlines():
            yield from _in_line(line)


def _in_line(line: str) -> Iterator[tuple[str, bool]]:
    encoded = {match.end() for match in IN_URL.finditer(line)}
    for match in TOKEN.finditer(line):
        safe = match.end() in encoded or match.group().endswith(f"{ESCAPED}›")
        yield match[1], not safe and line.strip() != match.group()
