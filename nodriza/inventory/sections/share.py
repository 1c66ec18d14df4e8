"""``share``: the network file system between the nodes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from nodriza.inventory import text
from nodriza.inventory.base import Section, whole
from nodriza.inventory.sections.app import AppSettings

if TYPE_CHECKING:
    from nodriza.inventory.yaml.partial import Draft

Engine = Literal["nfs", "glusterfs"]


class Share(Section):
    """The network file system between the nodes."""

    engine: Engine = Field(default="nfs", description="The network file system of the share.")
    device: text.DevicePath | None = Field(
        default=None,
        description=(
            "NFS only: the share's own disk (/dev/disk/by-id/NAME), or with size_mb an image file."
            " Without it the share is a folder of the system's disk."
        ),
    )
    size_mb: Annotated[int, whole(64, 1_000_000_000)] | None = Field(
        default=None,
        description="The size of an image file, in MiB. It can grow, but not shrink.",
    )
    options: Annotated[tuple[text.MountOption, ...], text.Items] = Field(
        default=(), description="More mount options."
    )

    def check_with(self, draft: Draft, inventory: Path) -> None:
        """What it is on fits its engine, and does not lie on itself; releases are safe there."""
        app, complain = draft.part(AppSettings), draft.document.complain
        if self.engine == "glusterfs" and app and app.releases == "share":
            message = (
                "is local with glusterfs: root on any node could change what all the others run"
            )
            complain(("app", "releases"), message)
        if not (self.device or self.size_mb):
            return
        path = ("share", "device")
        is_image = not (self.device or "/dev/").startswith("/dev/")
        if self.engine != "nfs":
            complain(path, f"is for engine: nfs, and the engine is {self.engine}", key=True)
        elif self.size_mb and not is_image:
            complain(("share", "size_mb"), "is the size of an image file, and device names none")
        elif is_image and not self.size_mb:
            complain(path, "is no device below /dev; an image file needs size_mb beside it")
        elif app and f"{self.device}/".startswith(f"/srv/{app.name}/"):
            complain(path, f"lies in /srv/{app.name}, which will be on it")
