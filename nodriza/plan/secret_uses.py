"""Where plans have secrets, and whether a value fits there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nodriza.errors import SecretError
from nodriza.host.redact import IN_URL
from nodriza.resources import to_data
from nodriza.vault.token import ESCAPED, OTHER, TOKEN, names_in

if TYPE_CHECKING:
    from nodriza.plan.plan import Plan


PLAIN = re.compile(r"[A-Za-z0-9._~+/=:@,-]*")
"""What needs no quoting in nginx, SQL, systemd, ini, YAML, an environment file or a shell."""


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
