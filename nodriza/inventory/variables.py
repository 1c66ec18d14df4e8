"""The variables that shipped roles read: checked before they get there.

All others are for templates and roles of a user's own, and may be anything.
"""

from __future__ import annotations

import difflib
import functools
import re
import zoneinfo
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from nodriza.inventory import text
from nodriza.inventory.base import whole
from nodriza.inventory.disk import is_there
from nodriza.inventory.shape import Shape
from nodriza.inventory.yaml import positions as marks
from nodriza.inventory.yaml.partial import Draft
from nodriza.inventory.yaml.pydantic_errors import check

_ZONE = r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}"
_ZONE_WORDS = "must be a time zone, such as Europe/Madrid or Etc/UTC"


def _zone(value: str) -> str:
    if not re.fullmatch(_ZONE, value):
        raise ValueError(_ZONE_WORDS)
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = zoneinfo.available_timezones()
        if known:  # else this machine has no list of them
            near = difflib.get_close_matches(value, known, n=1)
            hint = f', did you mean "{near[0]}"?' if near else ": see timedatectl list-timezones"
            raise ValueError(f"is no time zone{hint}") from None
    return value


TimeZone = Annotated[str, Shape(_ZONE, _ZONE_WORDS, _zone)]
"""A file below /usr/share/zoneinfo, as tzdata(5) names it."""


class KnownVariables(BaseModel):
    """Each with the role that reads it; the defaults are the roles'."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    timezone: TimeZone = Field(
        default="Etc/UTC",
        description="The zone of its clock and its logs; a change restarts services.",
    )
    """base"""
    celery_concurrency: Annotated[int, whole(1, 1024)] = Field(
        default=1, description="Celery's tasks at once. Default: 1, on a worker 4."
    )
    """celery, and mysql counts its connections with it"""
    celery_queues: Annotated[tuple[text.QueueName, ...], text.Items] = Field(
        default=(), description="The queues it takes tasks from, such as [mail, celery]."
    )
    """celery"""
    needs: Annotated[tuple[text.Job, ...], text.Items] = Field(
        default=(), description="Jobs of other nodes that it uses besides, such as [database]."
    )
    """firewall"""


NEAR = 0.85
"""How alike a variable must be to one of ours to be taken for a slip: two letters in a dozen."""


def check_variables(draft: Draft, inventory: Path) -> None:
    """Add what is wrong with a variable of ours, or with its name, to the document's problems."""
    levels: list[tuple[marks.Path, dict[str, Any]]] = [
        ((), draft.everywhere.variables if draft.everywhere else {}),
        *((("kinds", name), kind.variables) for name, kind in draft.kinds.items()),
        *((node.path, node.settings.variables) for node in draft.nodes if node.settings),
    ]
    known = KnownVariables.model_fields.keys()
    for path, variables in levels:
        if not known.isdisjoint(variables):
            check(KnownVariables, variables, (*path, "variables"), draft.document)
        for name in variables:
            near = _near(name)
            if near and not _is_read(name, inventory):
                words = f'nothing reads the variable "{name}", did you mean "{near}"?'
                place = (*path, "variables", name)
                draft.document.complain(place, words, key=True, topic=f"variable {name}")


@functools.cache  # thousands of nodes have the same few
def _near(name: str) -> str:
    known = KnownVariables.model_fields
    near = () if name in known else difflib.get_close_matches(name, known, n=1, cutoff=NEAR)
    return next(iter(near), "")


def _is_read(name: str, inventory: Path) -> bool:
    """Whether a role or a template of the user's own has the word."""
    home = inventory.resolve().parent.parent
    for file in (*home.glob("roles/*.py"), *home.glob("templates/**/*.j2")):
        if is_there(file.is_file) and is_there(functools.partial(_has, file, name)):
            return True
    return False


def _has(file: Path, word: str) -> bool:
    return word in file.read_text("utf-8", errors="replace")
