"""What makes the machines of a lab: the words are the same for containers and for VMs."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from nodriza.errors import LabError

if TYPE_CHECKING:
    from nodriza.inventory.model import Cluster


DRIVERS = {"nspawn": "nodriza.lab.containers.lab", "vagrant": "nodriza.lab.virtual.lab"}
"""Their modules, each imported when it is needed: Vagrant's is slow, and warns without it."""


@dataclass(frozen=True)
class MachineStatus:
    """One machine as it is now; ``since`` its last boot, where that is known."""

    name: str
    addresses: tuple[str, ...]
    running: bool
    since: datetime | None


class Driver(Protocol):
    """A module that can do this for a cluster."""

    def up(self, cluster: Cluster, say: Callable[[str], None]) -> None:
        """Bring every machine of the inventory to SSH, or say why that can't be."""

    def down(self, cluster: Cluster, say: Callable[[str], None]) -> None:
        """Take away machines, networks and notes; what was downloaded stays."""

    def status(self, cluster: Cluster) -> list[MachineStatus]:
        """Each node of the inventory, whether or not the lab is up."""

    def reach(self, cluster: Cluster) -> Cluster | None:
        """Go where the machines can be reached; the cluster with the ways in to them.

        ``None`` while the lab is not up.
        """

    def ssh_argv(self, cluster: Cluster, name: str) -> list[str]:
        """The command that logs in on a machine."""


def driver_of(cluster: Cluster, wanted: str = "") -> Driver:
    """The one whose lab is up, else the one that is ``wanted`` or in the inventory.

    Raises ``LabError`` for a cluster that is no lab, and for one that is up as another.
    """
    if cluster.lab is None:
        raise LabError(
            f"the cluster {cluster.name} is not meant to be a lab",
            where=str(cluster.path),
            kept="nothing was changed",
            do='choose an inventory with "lab: {}" and addresses that nobody else has',
        )
    there = cluster.lab_overlay.driver if cluster.lab_overlay else ""
    if wanted and wanted not in DRIVERS:
        raise LabError(f"no driver {wanted}", do=f"one of {', '.join(DRIVERS)}")
    if wanted and there and wanted != there:
        raise LabError(
            f"the lab {cluster.name} is up, made with {there}",
            kept="nothing was changed",
            do="fab lab.down first",
        )
    module: Any = importlib.import_module(DRIVERS[there or wanted or cluster.lab.driver])
    driver: Driver = module
    return driver
