"""The site as its visitors meet it: its names, and what each of them may take."""

from __future__ import annotations

from typing import Annotated

from nodriza.inventory import text
from nodriza.inventory.base import Model, whole

FORM_MB = 3
"""MiB of a request where nobody uploads files: a little more than what Django takes of a form
(2.5 MiB, DATA_UPLOAD_MAX_MEMORY_SIZE)."""


class SiteNames(Model):
    """The names of a site, as far as they must be compared with each other."""

    domain: text.Domain
    aliases: Annotated[tuple[text.Domain, ...], text.Items] = ()


class Limits(Model):
    """What one address may have open at one child at the same time.

    Behind one address of a mobile operator there are hundreds of people. A browser opens up
    to six connections to a site, or one with HTTP/2, and keeps them for a minute.
    """

    connections: Annotated[int, whole(8, 10_000)] = 1024
    requests: Annotated[int, whole(2, 10_000)] = 128
