"""Debian packages."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Dict, List, Sequence

from nodriza.resources.base import Resource, State

if TYPE_CHECKING:
    from nodriza.host.host import Host

LISTS = "/var/lib/apt/lists"
PATIENCE = 120  # seconds for whoever holds apt's locks, unattended-upgrades as a rule
LISTS_TOO_OLD = 24 * 3600  # seconds; a day-old list may name versions the mirror has dropped


@dataclass(frozen=True)
class Package(Resource):
    """An installed package, whichever its version; neighbours are installed together.

    Its services are not started: their configuration comes first, then a ``Service``
    starts them. So nothing ever listens with a distribution's default configuration.
    """

    name: str
    TOGETHER: ClassVar[bool] = True
    STAYS: ClassVar[str] = "others may need it"

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
        wait = ["-o", f"DPkg::Lock::Timeout={PATIENCE}", "-o", "Acquire::Retries=2"]
        _finish_what_was_cut_short(host, env)
        if not _lists_are_fresh(host):
            _update(host, wait, env)
        options = [
            "-o",
            "Dpkg::Options::=--force-confdef",
            "-o",
            "Dpkg::Options::=--force-confold",
        ]
        host.run(
            ["apt-get", *wait, *options, "-qy", "--no-install-recommends", "install"]
            + [_exactly(package.name) for package in many],
            env=env,
            timeout=1800,
        )
        host.run(["systemctl", "daemon-reload"], check=False)


def _exactly(name: str) -> str:
    """A name as apt-get takes it for nothing else.

    One that it does not know and that has a "." or a "+" in it is a regular expression to
    it, and a "-" or a "+" at the end says what to do with the package.
    """
    if name.replace("-", "").isalnum() and not name.endswith("-"):
        return name
    return "^" + name.replace(".", r"\.").replace("+", r"\+") + "$"


def _finish_what_was_cut_short(host: Host, env: Dict[str, str]) -> None:
    """A killed dpkg refuses everything until it has been told to go on (dpkg(1))."""
    if host.run(["dpkg", "--audit"], check=False).out or host.list("/var/lib/dpkg/updates"):
        host.run(["dpkg", "--configure", "-a", "--force-confdef", "--force-confold"], env=env)


def _update(host: Host, wait: Sequence[str], env: Dict[str, str]) -> None:
    """Fresh package lists; apt itself does not wait for the lock on them."""
    end = time.monotonic() + PATIENCE
    while True:
        done = host.run(["apt-get", *wait, "-q", "update"], env=env, timeout=300, check=False)
        # A mirror that does not answer is a warning to apt, and the old lists stay.
        failed = [line for line in done.err.splitlines() if line.startswith(("E:", "W: Failed"))]
        if not done.exit and not failed:
            return
        if "/lists/lock" not in done.err or time.monotonic() > end:
            host.refuse("apt-get update: " + "\n".join(failed or [done.err.strip()]))
        time.sleep(2)


def _lists_are_fresh(host: Host) -> bool:
    folder = host.at(LISTS)
    if not any(name.endswith("Packages") or ".Packages" in name for name in host.list(LISTS)):
        return False
    return time.time() - os.stat(folder).st_mtime < LISTS_TOO_OLD
