"""``limits``: what a visitor may take."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nodriza.inventory.base import Section, whole


class Limits(Section):
    """What one address may have open at one child at the same time.

    Behind one address of a mobile operator there are hundreds of people. A browser opens up
    to six connections to a site, or one with HTTP/2, and keeps them for a minute.
    """

    connections: Annotated[int, whole(8, 10_000)] = Field(
        default=1024, description="Number of TCP connections, also those without a whole request."
    )
    requests: Annotated[int, whole(2, 10_000)] = Field(
        default=128,
        description="Number of requests in progress in the application, uploads included.",
    )
