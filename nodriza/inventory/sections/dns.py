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
        description="Seconds that resolvers may keep an answer. A drain takes as long.",
    )
    email: text.Email | None = Field(default=None, description="Contact address in the zone.")
