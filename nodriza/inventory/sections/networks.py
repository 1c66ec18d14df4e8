"""``networks``: where the nodes' addresses come from."""

from __future__ import annotations

from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from nodriza.inventory import text
from nodriza.inventory.base import Section

if TYPE_CHECKING:
    from nodriza.inventory.yaml.partial import Draft


class Networks(Section):
    """Where nodes talk to each other, and where users come in."""

    STAND_INS: ClassVar = {"private": "192.0.2.0/24"}

    private: text.Network = Field(
        description="For the share, MariaDB and Redis: they listen here and nowhere else."
    )
    public: text.Network | None = Field(
        default=None,
        description="Where users come in. Without it children serve on their private address.",
    )

    def check_with(self, draft: Draft, inventory: Path) -> None:
        """The two have no address in common."""
        if not self.public or not self.private:
            return
        if IPv4Network(self.private).overlaps(IPv4Network(self.public)):
            line = draft.document.mark(("networks", "private")).line
            draft.document.complain(
                ("networks", "public"),
                f"{self.public} overlaps the private network {self.private} of line {line}",
            )
