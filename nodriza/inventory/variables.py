"""The variables that shipped roles read: checked before they get there.

All others are for templates and roles of a user's own, and may be anything.
"""

from __future__ import annotations

import difflib
import re
import zoneinfo
from typing import Annotated

from pydantic import BaseModel, ConfigDict

from nodriza.inventory import text
from nodriza.inventory.base import whole
from nodriza.inventory.shape import Shape

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

    timezone: TimeZone = "Etc/UTC"
    """base"""
    celery_concurrency: Annotated[int, whole(1, 1024)] = 1
    """celery, and mysql counts its connections with it"""
    needs: Annotated[tuple[text.RoleName, ...], text.Items] = ()
    """firewall"""
