"""Programs that others wrote, in a transient unit of systemd (systemd-run(1), systemd.exec(5)).

A user without rights, a system that is read only, folders that are out of reach, a bound on
what it may use, so that what serves beside it feels nothing; and whatever a program started
ends with it, wherever that went.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import contextmanager
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from nodriza.host.errors import CommandFailed, Result
from nodriza.host.host import PATH, Host

MEMORY = "40%"
"""Of the host's. MariaDB has 40 % of its node's (roles/mysql.py), Redis 10 %."""
ALWAYS = (
    # What it started ends with it.
    "KillMode=control-group",
    "TimeoutStopSec=5s",
    "UMask=0022",
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "ProtectProc=invisible",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "RestrictSUIDSGID=yes",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
    "LockPersonality=yes",
    # The database and the broker come first (systemd.resource-control(5); 100 is usual).
    f"MemoryMax={MEMORY}",
    "CPUWeight=20",
    "IOWeight=20",
    "TasksMax=512",
    # Where the whole host is short of memory, this ends before they do.
    "OOMScoreAdjust=500",
)
ENVIRONMENT = {"PATH": PATH, "LC_ALL": "C.UTF-8", "TMPDIR": "/var/tmp"}  # noqa: S108  a folder of its own
"""What a login or the boot would set is set here. /tmp is memory on Debian 13."""
PRIVATE = "/run/nodriza"
"""A folder of root's, in memory."""
SPARE = 60
"""Seconds that systemd has to end what is late, before nobody waits for systemd any more."""
LOOK = 1.0  # seconds between two looks at a unit that is waited for
GOING = ("active", "activating", "deactivating", "reloading")
_BEGIN = re.compile(r"(?m)^Running as unit: \S+.*\n")
_RESULT = "Finished with result: "
"""How systemd-run begins what it says itself at the end, after all that the program said."""


class Unit(NamedTuple):
    """``name`` without ``.service``. The program may change ``writable`` and nothing else; it
    does not see ``hidden``. ``env_file``: systemd reads it, so that no value of it is in a
    command line. ``binds``: what it sees in the place of what, (path, seen as).
    """

    name: str
    user: str
    writable: Sequence[str] = ()
    hidden: Sequence[str] = ()
    env_file: str = ""
    env_names: Sequence[str] = ()
    binds: Sequence[Tuple[str, str]] = ()


def run(
    host: Host,
    unit: Unit,
    argv: Sequence[str],
    *,
    cwd: str,
    timeout: Optional[float],
    env: Optional[Dict[str, str]] = None,
    check: bool = True,
) -> Result:
    """Run it to its end; ``cwd`` is a path of the host. Raises as ``Host.run`` does.

    Without ``timeout`` it has all the time there is. A unit of this name that a killed run
    left is ended before, or waited for where it has no clock.
    """
    free(host, unit.name, patient=timeout is None)
    words = _argv(host, unit, argv, cwd=cwd, timeout=timeout, env=env)
    late = None if timeout is None else timeout + SPARE
    done = host.run(words, check=False, timeout=late)
    err, result = _parted(done.err)
    if result == "timeout" and timeout is not None:
        host.refuse(f"{' '.join(argv)}: no end after {timeout:.0f} s")
    if result == "oom-kill":
        err += f"\nit was ended because it wanted more than {MEMORY} of this host's memory"
    elif result not in ("success", "exit-code") or done.exit >= 200:  # systemd.exec(5)
        err += f"\nsystemd says: {result or 'it did not begin'} (journalctl --unit {unit.name})"
    said = Result(argv, done.exit, done.out, err)
    if check and said.exit:
        raise CommandFailed(said)
    return said


@contextmanager
def variables(host: Host, name: str, text: str) -> Iterator[str]:
    """The path of an ``env_file`` that root alone reads, and that is there no longer than needed.

    It is this process's own, so that two runs do not meet in it. Those of runs that were killed
    go first.
    """
    for left in host.list(PRIVATE):
        process = left.rpartition("-")[2].partition(".")[0]
        if not os.path.exists(f"/proc/{process}"):
            host.remove(f"{PRIVATE}/{left}")
    if host.stat(PRIVATE) is None:
        host.mkdirs(os.path.dirname(PRIVATE))
        host.mkdir(PRIVATE)
    path = f"{PRIVATE}/{name}-{os.getpid()}.env"
    try:
        host.write(path, text, mode="0600")
        yield path
    finally:
        host.remove(path)


def free(host: Host, name: str, *, patient: bool) -> None:
    """See to what a killed run left: it is ended, or its end is waited for."""
    while _is_going(host, name):
        if not patient:
            host.run(["systemctl", "stop", f"{name}.service"], timeout=SPARE)
            return
        host.alive()
        time.sleep(LOOK)


def _is_going(host: Host, name: str) -> bool:
    show = ["systemctl", "show", "--property=ActiveState", "--value", f"{name}.service"]
    return host.run(show, check=False, timeout=SPARE).out.strip() in GOING


def _argv(
    host: Host,
    unit: Unit,
    argv: Sequence[str],
    *,
    cwd: str,
    timeout: Optional[float],
    env: Optional[Dict[str, str]],
) -> List[str]:
    ours = {**ENVIRONMENT, **(env or {})}
    properties = [f"User={unit.user}", f"WorkingDirectory={host.at(cwd)}", *ALWAYS]
    properties += [f"ReadWritePaths={host.at(path)}" for path in unit.writable]
    # "-": where it is not there, there is nothing to hide.
    properties += [f"InaccessiblePaths=-{host.at(path)}" for path in unit.hidden]
    properties += [f"BindPaths={host.at(path)}:{host.at(seen)}" for path, seen in unit.binds]
    if unit.env_file:
        properties.append(f"EnvironmentFile={host.at(unit.env_file)}")
    if timeout is not None:
        properties.append(f"RuntimeMaxSec={timeout:.0f}s")
    if foreign := _inherited(host) - {*ours, *unit.env_names}:
        properties.append(f"UnsetEnvironment={' '.join(sorted(foreign))}")
    return [
        "systemd-run",
        "--wait",
        "--pipe",
        "--collect",
        "--service-type=exec",
        f"--unit={unit.name}",
        f"--description={unit.name}",  # not the program's whole command line in the journal
        *(f"--setenv={name}={value}" for name, value in ours.items()),
        *(f"--property={each}" for each in properties),
        "--",
        # systemd-run looks for the program, and does not see what the unit sees.
        *(("/usr/bin/env",) if unit.binds else ()),
        # systemd puts variables in the place of $NAME (systemd.service(5)).
        *(word.replace("$", "$$") for word in argv),
    ]


def _inherited(host: Host) -> "set[str]":
    """Names that systemd gives to whatever it starts: the boot's locale, somebody's proxy."""
    lines = host.run(["systemctl", "show-environment"], check=False, timeout=SPARE).out.split("\n")
    return {name for name, equals, _ in (line.partition("=") for line in lines) if equals}


def _parted(err: str) -> Tuple[str, str]:
    """What the program itself said, and how systemd says that it ended; or nothing."""
    said, _, ours = _BEGIN.sub("", err, count=1).rpartition(_RESULT)
    return (said, ours.partition("\n")[0].strip()) if ours and _RESULT in err else (err, "")
