"""``maintenance``: what visitors are told while the site is closed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from nodriza.inventory import text
from nodriza.inventory.base import Section, whole
from nodriza.inventory.disk import is_there, near_path
from nodriza.inventory.sections.app import AppSettings
from nodriza.inventory.text import absolute

if TYPE_CHECKING:
    from nodriza.inventory.yaml.partial import Draft

LARGEST = 262_144
"""Bytes of a page that travels in the plan of each child: what it shows besides is in /static/."""


class Maintenance(Section):
    """What ``fab maintenance on`` shows."""

    page: text.InsidePath | None = Field(
        default=None,
        description="The project's own page, one file of HTML relative to app/source.",
    )
    retry_after: Annotated[int, whole(1, 86_400)] = Field(
        default=300, description="Seconds after which browsers and robots may come again."
    )

    def check_with(self, draft: Draft, inventory: Path) -> None:
        """The page is there, and is text."""
        app = draft.part(AppSettings)
        if not self.page or not app or not app.source:
            return
        path = absolute(app.source, inventory.parent) / self.page
        why = ""
        if not is_there(path.is_file):
            why = f'there is no file "{self.page}" in app/source{near_path(path, Path.is_file)}'
        elif path.stat().st_size > LARGEST:
            why = f"has more than {LARGEST // 1024} KiB: let it show pictures from /static/"
        else:
            try:
                path.read_text("utf-8")
            except (OSError, UnicodeDecodeError) as error:
                why = f"can't be read as UTF-8: {error}"
        if why:
            draft.document.complain(("maintenance", "page"), why)
