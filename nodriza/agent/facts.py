"""What a host says of itself, for ``status``: read, never decided on."""

from __future__ import annotations

import os
import time
from typing import Any, Dict, Sequence

from nodriza.agent.host import Host
from nodriza.agent.journal import Journal


def facts(host: Host, journal: Journal, paths: Sequence[str]) -> Dict[str, Any]:
    """System, uptime (seconds), load, memory and disk (used, in per cent), clock, last run.

    ``paths``: links to read, such as an application's ``current``.
    """
    disk = os.statvfs("/")
    return {
        "system": _pretty_name(host),
        "uptime": int(float((host.read("/proc/uptime") or b"0").split()[0])),
        "load": os.getloadavg()[0],
        "memory": _memory_used(host),
        "disk": round(100 - 100 * disk.f_bavail / (disk.f_blocks or 1)),
        "clock": time.time(),
        "links": {path: host.readlink(path) for path in paths},
        "owed": [debt["id"] for debt in journal.all_owed()],
        "last_run": journal.last_run(),
    }


def _pretty_name(host: Host) -> str:
    for line in (host.read("/etc/os-release") or b"").decode().splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.split("=", 1)[1].strip('"')
    return "unknown system"


def _memory_used(host: Host) -> int:
    lines = (host.read("/proc/meminfo") or b"").decode().splitlines()
    values = {line.split(":")[0]: int(line.split()[1]) for line in lines if ":" in line}
    return round(100 - 100 * values.get("MemAvailable", 0) / (values.get("MemTotal", 0) or 1))
