"""A row of the visitors' table: what is asked, and what must come back."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.lab.visits.asking import Answer, request

KB, MB = 1024, 1024 * 1024
FORM = {"Content-Type": "application/octet-stream"}


@dataclass(frozen=True)
class Case:
    """``has``: patterns for headers that come exactly once; ``lacks``: headers that don't come."""

    name: str
    sent: bytes
    status: int = 200
    method: str = "GET"
    has: dict[str, str] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    size: int | None = None
    says: Callable[[bytes], bool] = lambda body: True

    def wrong(self, answer: Answer) -> list[str]:
        """What is not as it must be, in words; nothing, if all is."""
        found = []
        if answer.status != self.status:
            found.append(f"{answer.status} instead of {self.status}: {answer.body[:300]!r}")
        for name, pattern in self.has.items():
            values = answer.all(name)
            if len(values) != 1 or not re.search(pattern, values[0]):
                found.append(f"{name}: {values} instead of one like {pattern}")
        found += [f"{name}: {answer.all(name)}" for name in self.lacks if answer.all(name)]
        if self.size is not None and len(answer.body) != self.size:
            found.append(f"{len(answer.body)} bytes instead of {self.size}")
        if not self.says(answer.body):
            found.append(f"the body is {answer.body[:300]!r}")
        return found


def get(
    name: str, path: str | bytes, headers: dict[str, str] | None = None, **want: object
) -> Case:
    return Case(name, request(path, headers=headers), **want)  # type: ignore[arg-type]


def post(name: str, path: str, body: bytes, **want: object) -> Case:
    return Case(name, request(path, "POST", headers=FORM, body=body), method="POST", **want)  # type: ignore[arg-type]


def said(**expected: object) -> Callable[[bytes], bool]:
    """JSON with these values in it."""

    def check(body: bytes) -> bool:
        found = json.loads(body)
        return all(found.get(key) == value for key, value in expected.items())

    return check


def echoed(body: bytes, method: str = "POST") -> Callable[[bytes], bool]:
    digest = hashlib.sha256(body).hexdigest()
    return said(method=method, bytes=len(body), sha256=digest)


def text(expected: bytes) -> Callable[[bytes], bool]:
    return lambda body: body == expected
