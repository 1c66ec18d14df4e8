"""Debian packages."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Dict, List, Sequence

from nodriza.resources.base import Resource, State

if TYPE_CHECKING:
    from nodriza.agent.host import Host

LISTS = "/var/lib/apt/lists"
LISTS_TOO_OLD = 24 * 3600  # seconds; a day-old list may name versions the mirror has dropped


@dataclass(frozen=True)
class Package(Resource):
    """An installed package, whichever its version; neighbours are installed together.

    Its services are not started: their configuration comes first, then a ``Service``
    starts them. So nothing ever listens with a distribution's default configuration.
    """

    name: str
    TOGETHER: ClassVar[bool] = True

    def wanted(self) -> State:
        """Unpacked and configured."""
        return {"installed": True}

    @classmethod
    def look(cls, host: Host, many: Sequence[Package]) -> List[State]:
        """dpkg's database, read once for all (dpkg-query(1))."""
        out = host.run(
            [
                "dpkg-query",
                "-W",
                "-f",
                "${Package} ${db:Status-Status}\n",
                *[p.name for p in many],
            ],
            check=False,  # exit 1: some of them are unknown, the others are listed
        ).out
        seen: Dict[str, bool] = {}
        for line in out.splitlines():
            name, _, status = line.partition(" ")
            seen[name] = seen.get(name, False) or status == "installed"
        return [{"installed": True} if seen.get(package.name) else None for package in many]

    def fix(self, host: Host, now: State) -> None:
        """One package alone."""
        type(self).fix_together(host, [self])

    @classmethod
    def fix_together(cls, host: Host, many: Sequence[Package]) -> None:
        """All missing packages in one run of apt-get(8).

        An existing configuration file is kept (``--force-confold``): what a role wants
        in it comes as a ``File``.
        """
        env = {
            "DEBIAN_FRONTEND": "noninteractive",
            "NEEDRESTART_MODE": "l",  # list, don't restart: restarts are ours to declare
            # systemctl(1): start nothing. Maintainer scripts still enable their units.
            "SYSTEMD_OFFLINE": "1",
        }
        wait = ["-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=2"]
        if not _lists_are_fresh(host):
            host.run(["apt-get", *wait, "-q", "update"], env=env, timeout=300)
        options = [
            "-o",
            "Dpkg::Options::=--force-confdef",
            "-o",
            "Dpkg::Options::=--force-confold",
        ]
        host.run(
            ["apt-get", *wait, *options, "-qy", "--no-install-recommends", "install"]
            + [package.name for package in many],
            env=env,
            timeout=1800,
        )
        host.run(["systemctl", "daemon-reload"], check=False)


def _lists_are_fresh(host: Host) -> bool:
    folder = host.at(LISTS)
    if not any(name.endswith("Packages") or ".Packages" in name for name in host.list(LISTS)):
        return False
    return time.time() - os.stat(folder).st_mtime < LISTS_TOO_OLD
