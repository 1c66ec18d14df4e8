"""What a host says when it is asked; the controller shows it, and decides nothing by it."""

from __future__ import annotations

import glob
import itertools
import json
import os
import re
import time
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Sequence

from nodriza.agent.journal import Journal
from nodriza.host import units
from nodriza.host.host import Host
from nodriza.host.patience import patiently
from nodriza.host.system import os_release
from nodriza.resources.base import Resource
from nodriza.resources.health import Health
from nodriza.resources.mount import Mount
from nodriza.resources.package import Package
from nodriza.resources.service import Service

PATIENCE = 3  # seconds for a share that may be away for ever
MOST = 20_000
"""Paths of a listing; the controller takes no more."""


def state(host: Host, journal: Journal, plan: Sequence[Resource], about: Any) -> Dict[str, Any]:
    """System, uptime (seconds), load, memory and disks (used, in per cent), clock, last run;
    ``health``, status and words of the location that the plan's ``Health`` asks.

    ``reboot``: what waits for one, in words, or nothing.

    ``about``: ``links`` to read, such as an application's ``current``; ``certificates``,
    files in PEM whose end is told as openssl(1) prints it; ``marks``, folders to list;
    ``files``, to be read.
    """
    mounts = [each.path for each in plan if isinstance(each, Mount)]
    healths = {each.id: partial(each.ask, host) for each in plan if isinstance(each, Health)}
    shared = patiently(
        {
            **{path: partial(host.readlink, path) for path in about["links"]},
            **{path: partial(_disk_used, host, path) for path in mounts},
            **healths,
        },
        PATIENCE,
    )
    return {
        "system": os_release(host).get("PRETTY_NAME", "unknown system"),
        "uptime": int(float((host.read("/proc/uptime") or b"0").split()[0])),
        "load": os.getloadavg()[0],
        "memory": _memory_used(host),
        "disk": _disk_used(host, "/"),
        "mounts": {path: shared[path] for path in mounts},
        "health": {id: shared[id] for id in healths},
        "links": {path: shared[path] for path in about["links"]},
        "certificates": {path: _end_of(host, path) for path in about["certificates"]},
        "versions": _versions(host, [each.name for each in plan if isinstance(each, Package)]),
        "timers": _timers(
            host, [each for each in plan if isinstance(each, Service) and each.runs]
        ),
        "owed": [debt["id"] for debt in journal.all_owed()],
        "marks": {path: host.list(path) for path in about["marks"]},
        "files": {path: (host.read(path) or b"").decode() for path in about.get("files", ())},
        "reboot": reboot_waits_for(host),
        "last_run": journal.last_run(),
        "clock": time.time(),  # last: some of the others take a while
    }


def history(host: Host, journal: Journal, plan: Sequence[Resource], about: Any) -> Any:
    """The records of ``Journal.history``."""
    return journal.history()


def listing(
    host: Host, journal: Journal, plan: Sequence[Resource], about: List[str]
) -> Dict[str, float]:
    """What matches the patterns of ``about`` (glob, with "**"), and when it last changed."""
    found = (path for pattern in about for path in glob.iglob(host.at(pattern), recursive=True))
    paths = list(itertools.islice(found, MOST + 1))
    if len(paths) > MOST:
        host.refuse(f"more than {MOST} paths match {' '.join(about)}")
    seen = {path[len(host.root) :]: host.stat(path[len(host.root) :]) for path in sorted(paths)}
    return {path: stat.modified for path, stat in seen.items() if stat}


def strays(host: Host, journal: Journal, plan: Sequence[Resource], about: Any) -> List[str]:
    """What is there of a kind, and is in nobody's plan: each kind is asked once."""
    kinds = dict.fromkeys(type(resource) for resource in plan)
    return [
        words
        for kind in kinds
        for words in kind.strays(host, [each for each in plan if type(each) is kind])
    ]


def releases(host: Host, journal: Journal, plan: Sequence[Resource], about: Any) -> Any:
    """Which releases there are, which served, and which ones processes work in: ``record``,
    ``current``, ``seals`` and ``folder`` are paths, and ``counts`` the link that says which entry
    of the record is the last, or nothing. A node that only serves has a current one, and such
    processes.
    """
    from nodriza.host.at_work import at_work  # noqa: PLC0415
    from nodriza.resources.sealed import read_seal  # noqa: PLC0415  for few questions
    from nodriza.resources.served import in_use, read_record  # noqa: PLC0415
    from nodriza.resources.venv import made_for  # noqa: PLC0415

    seals = {
        name[: -len(".json")]: read_seal(host, f"{about['seals']}/{name}")
        for name in host.list(about["seals"])
        if name.endswith(".json")
    }
    names = [name for name in host.list(about["folder"]) if not name.startswith(".")]
    links = {name: host.readlink(f"{about['folder']}/{name}/venv") for name in names}
    return {
        "served": read_record(host, about["record"], about["counts"]),
        "current": in_use(host, about["current"]),
        "seals": seals,
        "venvs": {name: os.path.basename(link) for name, link in links.items() if link},
        "working": sorted(at_work(host, about["folder"]).intersection(names)),
        "pythons": {
            os.path.basename(link): made_for(host, link) for link in links.values() if link
        },
    }


ANSWERS: Dict[str, Callable[..., Any]] = {
    "state": state,
    "history": history,
    "listing": listing,
    "releases": releases,
    "strays": strays,
}
"""By the word in a request's ``ask``."""


def _timers(host: Host, timers: Sequence[Service]) -> Dict[str, Any]:
    """By the unit that it begins: when it last did and will next, in seconds since the epoch, and
    how the last run ended, in the word of systemd's ``Result``; "" while one is at work.
    """
    if not timers:
        return {}
    words = ["systemctl", "list-timers", "--all", "--output=json", *(t.full_unit for t in timers)]
    known = host.run(words, check=False, timeout=10)
    times = {each["activates"]: each for each in json.loads(known.out or "[]")}
    found = {}
    for unit in (timer.runs for timer in timers):
        seen = units.show(host, unit, "ActiveState,Result")
        at_work = seen.get("ActiveState") in ("activating", "active", "reloading")
        last, due = (times.get(unit, {}).get(word) or 0 for word in ("last", "next"))
        result = "" if at_work or not last else seen.get("Result", "")
        found[unit] = {"last": last / 1e6, "next": due / 1e6, "result": result}
    return found


def _disk_used(host: Host, path: str) -> int:
    disk = os.statvfs(host.at(path))
    return round(100 - 100 * disk.f_bavail / (disk.f_blocks or 1))


def _end_of(host: Host, path: str) -> Optional[str]:
    """The end of a certificate's time: "Dec 31 23:59:59 2026 GMT"."""
    words = ["openssl", "x509", "-noout", "-enddate", "-in", path]
    _, _, end = host.run(words, check=False, timeout=10).out.strip().partition("notAfter=")
    return end or None


def reboot_waits_for(host: Host) -> str:
    """What is installed and comes with the next boot only; nothing, as a rule.

    /run/reboot-required is what unattended-upgrades and others leave. Debian's own apt leaves
    nothing, so the kernels are compared as well; a container runs its host's.
    """
    if host.stat("/run/reboot-required"):
        packages = (host.read("/run/reboot-required.pkgs") or b"").decode("utf-8", "replace")
        return ", ".join(dict.fromkeys(packages.split())) or "/run/reboot-required"
    running = (host.read("/proc/sys/kernel/osrelease") or b"").decode().strip()
    if host.stat("/run/systemd/container") or not running:
        return ""
    return _newer_kernel(host, running) or _rebuilt_kernel(host, running)


def _newer_kernel(host: Host, running: str) -> str:
    """Of those below /boot, whatever their flavour; a boot takes the newest."""
    kernels = [name[8:] for name in host.list("/boot") if name.startswith("vmlinuz-")]
    newest = max(kernels, key=_numbers, default=running)
    if _numbers(newest) <= _numbers(running):
        return ""
    return f"kernel {newest} ({running} runs)"


def _numbers(release: str) -> List[int]:
    """Of "6.1.0-18-cloud-amd64": 6, 1, 0, 18, which are compared; the flavour is not."""
    version = re.match(r"[0-9.-]*", release)
    return [int(number) for number in re.findall(r"\d+", version[0] if version else "")]


def _rebuilt_kernel(host: Host, running: str) -> str:
    """A new build of the same release: Debian's kernels name theirs in /proc/version."""
    built = re.search(r" Debian (\S+) \(", (host.read("/proc/version") or b"").decode())
    package = f"linux-image-{running}"
    installed = _versions(host, [package]).get(package) if built else None
    if not built or not installed or installed == built[1]:
        return ""
    return f"{package} {installed} ({built[1]} runs)"


def _versions(host: Host, packages: Sequence[str]) -> Dict[str, str]:
    words = ["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *packages]
    lines = host.run(words, check=False).out.splitlines() if packages else []
    return dict(line.split(" ", 1) for line in lines if not line.endswith(" "))


def _memory_used(host: Host) -> int:
    lines = (host.read("/proc/meminfo") or b"").decode().splitlines()
    values = {line.split(":")[0]: int(line.split()[1]) for line in lines if ":" in line}
    return round(100 - 100 * values.get("MemAvailable", 0) / (values.get("MemTotal", 0) or 1))
