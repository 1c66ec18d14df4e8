"""``rollout``: how children that serve are changed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nodriza.inventory import text
from nodriza.inventory.base import Section, whole


class Rollout(Section):
    """How children that serve are changed."""

    serial: text.Serial = Field(
        default="1", description='How many change at a time: 2, or "25%" of the children.'
    )
    max_failures: Annotated[int, whole(0, 10_000)] = Field(
        default=0, description="How many may fail before the others are left alone."
    )
    pause: Annotated[int, whole(0, 600)] = Field(
        default=0, description="Seconds that load balancers have to see that a child is away."
    )
