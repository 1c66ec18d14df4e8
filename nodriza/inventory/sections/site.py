"""The names of the site."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from nodriza.inventory import text
from nodriza.inventory.base import Section

FORM_MB = 3
"""MiB of a request where nobody uploads files: a little more than what Django takes of a form
(2.5 MiB, DATA_UPLOAD_MAX_MEMORY_SIZE)."""


class SiteNames(Section):
    """The names of a site, as far as they must be compared with each other."""

    STAND_INS: ClassVar = {"domain": "stand-in.invalid"}

    domain: text.Domain = Field(
        description="The site's name, as users type it. nginx answers to it."
    )
    aliases: Annotated[tuple[text.Domain, ...], text.Items] = Field(
        default=(), description="More names of the site. nginx redirects them to domain."
    )
