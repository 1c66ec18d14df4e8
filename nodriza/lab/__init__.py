"""Local clusters of real machines, made on the developer's own computer.

What holds for every kind of lab is here; ``nodriza.lab.containers.lab`` are containers and
``nodriza.lab.virtual.lab`` virtual machines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from nodriza.lab.containers.lab import power_cut, reboot, start
from nodriza.lab.driver import MachineStatus, driver_of

if TYPE_CHECKING:
    from nodriza.inventory.model import Cluster

__all__ = [
    "MachineStatus",
    "down",
    "power_cut",
    "reach",
    "reboot",
    "ssh_argv",
    "start",
    "status",
    "up",
]


def up(cluster: Cluster, say: Callable[[str], None], driver: str = "") -> None:
    """Start the inventory's nodes as machines; what runs already is left alone."""
    driver_of(cluster, driver).up(cluster, say)


def down(cluster: Cluster, say: Callable[[str], None]) -> None:
    """Take everything away."""
    driver_of(cluster).down(cluster, say)


def status(cluster: Cluster) -> list[MachineStatus]:
    """Each node of the inventory, whether or not the lab is up."""
    return driver_of(cluster).status(cluster)


def reach(cluster: Cluster) -> Cluster | None:
    """Go where the machines can be reached; ``None`` while the lab is not up."""
    return driver_of(cluster).reach(cluster)


def ssh_argv(cluster: Cluster, name: str) -> list[str]:
    """The command that logs in on a machine."""
    return driver_of(cluster).ssh_argv(cluster, name)
