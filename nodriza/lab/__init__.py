"""Local clusters of real machines, made on the developer's own computer."""

from nodriza.lab.lab import (
    MachineStatus,
    down,
    power_cut,
    reboot,
    ssh_argv,
    start,
    status,
    up,
)

__all__ = [
    "MachineStatus",
    "down",
    "power_cut",
    "reboot",
    "ssh_argv",
    "start",
    "status",
    "up",
]
