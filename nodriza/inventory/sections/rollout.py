"""``rollout``: how children that serve are changed."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nodriza.inventory import text
from nodriza.inventory.base import Section, whole


class Rollout(Section):
    """How children that serve are changed."""

    serial: text.Serial = Field(
        default="1", description='How many children change at a time: 2, or "25%" of them.'
    )
    max_failures: Annotated[int, whole(0, 10_000)] = Field(
        default=0, description="How many children may fail before the run stops."
    )
    pause: Annotated[int, whole(0, 600)] = Field(
        default=0,
        description="Seconds for load balancers to notice that a child is out of rotation.",
    )
