"""``dns``: for nodes with the role of that name."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nodriza.inventory import text
from nodriza.inventory.base import Section, whole


class Dns(Section):
    """What the role dns says of the site's name."""

    ttl: Annotated[int, whole(5, 86_400)] = Field(
        default=60,
        description="Seconds that resolvers may believe an answer: so long a drain takes.",
    )
    email: text.Email | None = Field(
        default=None, description="Who is to be told of trouble with the zone."
    )
