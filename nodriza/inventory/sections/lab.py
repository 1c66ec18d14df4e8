"""``lab``: that a cluster may be made on the developer's own machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from nodriza.inventory import text
from nodriza.inventory.base import Section
from nodriza.wording import did_you_mean

if TYPE_CHECKING:
    from nodriza.inventory.yaml.partial import Draft

Driver = Literal["nspawn", "vagrant"]
Debian = Literal["bookworm", "trixie"]
Acceleration = Literal["kvm", "emulated"]


class LabConfig(Section):
    """That this cluster may be made on the developer's own machine, and how."""

    release: Debian = Field(default="bookworm", description="The Debian release of its machines.")
    releases: dict[str, Debian] = Field(
        default={}, description="The Debian release of single machines, by name."
    )
    driver: Driver = Field(
        default="nspawn",
        description="nspawn: containers with systemd. vagrant: virtual machines.",
    )
    box: text.BoxName | None = Field(
        default=None, description="The Vagrant box. Default: Debian's own of this release."
    )
    acceleration: Acceleration | None = Field(
        default=None,
        description="For libvirt's machines. Default: kvm if it works, else emulated.",
    )

    def check_with(self, draft: Draft, inventory: Path) -> None:
        """Releases are of machines that are there, and can have one of their own."""
        if not self.releases:
            return
        if self.driver == "vagrant":
            message = "is for driver: nspawn: a box is of one release"
            draft.document.complain(("lab", "releases"), message, key=True)
        names = [node.name for node in draft.nodes if node.name]
        for name in self.releases:
            if name not in names:
                message = f'no node is called "{name}"{did_you_mean(name, names)}'
                draft.document.complain(("lab", "releases", name), message, key=True)
