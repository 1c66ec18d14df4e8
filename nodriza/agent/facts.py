"""What a host says of itself, for ``status``: read, never decided on."""

from __future__ import annotations

import os
import time
from typing import Any, Dict, Sequence

from nodriza.agent.host import Host
from nodriza.agent.journal import Journal

KNOWN = {"debian": ("12", "13"), "ubuntu": ("22.04", "24.04", "26.04")}
"""Systems whose package names and versions the roles were written for (os-release(5))."""


def refuse_unknown_system(host: Host) -> None:
    """Raises ``HostError`` on a system that the roles do not know; nothing has changed yet."""
    system = _os_release(host)
    if system.get("VERSION_ID") not in KNOWN.get(system.get("ID", ""), ()):
        known = ", ".join(f"{name} {' and '.join(versions)}" for name, versions in KNOWN.items())
        host.refuse(
            f"this host runs {system.get('PRETTY_NAME', 'an unknown system')}; the roles know"
            f" {known}. Nothing was changed."
        )


def facts(host: Host, journal: Journal, paths: Sequence[str]) -> Dict[str, Any]:
    """System, uptime (seconds), load, memory and disk (used, in per cent), clock, last run.

    ``paths``: links to read, such as an application's ``current``.
    """
    disk = os.statvfs("/")
    return {
        "system": _os_release(host).get("PRETTY_NAME", "unknown system"),
        "uptime": int(float((host.read("/proc/uptime") or b"0").split()[0])),
        "load": os.getloadavg()[0],
        "memory": _memory_used(host),
        "disk": round(100 - 100 * disk.f_bavail / (disk.f_blocks or 1)),
        "clock": time.time(),
        "links": {path: host.readlink(path) for path in paths},
        "owed": [debt["id"] for debt in journal.all_owed()],
        "last_run": journal.last_run(),
    }


def _os_release(host: Host) -> Dict[str, str]:
    lines = (host.read("/etc/os-release") or b"").decode("utf-8", "replace").splitlines()
    pairs = [line.partition("=") for line in lines if "=" in line]
    return {name: value.strip("\"'") for name, _, value in pairs}


def _memory_used(host: Host) -> int:
    lines = (host.read("/proc/meminfo") or b"").decode().splitlines()
    values = {line.split(":")[0]: int(line.split()[1]) for line in lines if ":" in line}
    return round(100 - 100 * values.get("MemAvailable", 0) / (values.get("MemTotal", 0) or 1))
