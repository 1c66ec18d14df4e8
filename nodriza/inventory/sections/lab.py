"""``lab``: that a cluster may be made on the developer's own machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from nodriza.inventory import text
from nodriza.inventory.addresses import IPV4
from nodriza.inventory.base import Section
from nodriza.inventory.shape import Shape
from nodriza.wording import did_you_mean

if TYPE_CHECKING:
    from nodriza.inventory.yaml.partial import Draft

Driver = Literal["nspawn", "vagrant"]
Debian = Literal["bookworm", "trixie"]
Acceleration = Literal["kvm", "emulated"]
Unreachable = Annotated[
    str,
    Shape(
        rf"{IPV4}(/([0-9]|[12][0-9]|3[0-2]))?",
        "must be an IPv4 address, or a network of them as address/prefix",
    ),
]
Folder = Annotated[
    str,
    Shape(
        r"(?!.*/\.{1,2}(/|$))(/[A-Za-z0-9_.+-]+)+",
        "must be the whole path of a folder: letters, digits and . _ + - /",
    ),
]
"""What systemd-nspawn's --bind-ro takes as it stands."""


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
    internet: bool = Field(
        default=True,
        description=(
            "Whether its machines reach anything outside of the lab, such as package archives."
            " With false every connection to outside is refused, those that are open too."
        ),
    )
    unreachable: Annotated[tuple[Unreachable, ...], text.Items] = Field(
        default=(),
        description="Addresses or networks that its machines never reach, in no case.",
    )
    folders: dict[Folder, Folder] = Field(
        default={},
        description=(
            "Folders of this computer that its machines can read, and not write: the path on the"
            " machines, and the path here."
        ),
    )

    def check_with(self, draft: Draft, inventory: Path) -> None:
        """Releases are of machines that are there, and can have one of their own."""
        if self.driver == "vagrant":
            for key in ("internet", "unreachable", "folders"):
                if key in self.model_fields_set:
                    draft.document.complain(("lab", key), "is for driver: nspawn", key=True)
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
