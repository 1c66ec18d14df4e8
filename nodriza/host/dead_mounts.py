"""Network mounts that will never answer again, and who still has files of them.

A server that was made anew has other file handles and volumes: NFS says ESTALE then, for as long
as the mount lasts (nfs(5)), and GlusterFS ENOTCONN. The mount is still in the kernel's list, so it
has to be asked. A server that is away for a moment looks like a dead one where the client is
GlusterFS, so whoever takes a mount away tries another one of the same first.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from functools import partial
from typing import TYPE_CHECKING, Dict, List, Sequence

from nodriza.host.errors import HostError
from nodriza.host.mounts import mounts_of
from nodriza.host.patience import patiently

if TYPE_CHECKING:
    from nodriza.host.host import Host

DEAD = frozenset({errno.ESTALE, errno.ENOTCONN})
PATIENCE = 3.0
"""Seconds for an answer. A hard mount whose server is away gives none; it is not dead."""
RETURN = 8.0
"""Seconds for one that comes back by itself: GlusterFS's client tries it every three."""
MOUNTING, STOPPING = 60, 120
"""Seconds."""
FOR_THE_BOOT = re.compile(r"x-.*|_netdev|nofail|auto|noauto")
"""Options that only systemd reads (systemd.mount(5))."""
SERVICE = re.compile(r"/([^/\n]+\.service)$", re.MULTILINE)


def dead_among(host: Host, paths: Sequence[str]) -> Dict[str, str]:
    """Path to the words of the system, for each mount point that is dead; all asked at once."""
    if not paths:
        return {}
    found = patiently({path: partial(_ask, host, path) for path in paths}, PATIENCE)
    return {path: words for path, words in found.items() if isinstance(words, str) and words}


def _ask(host: Host, path: str) -> str:
    try:
        os.statvfs(host.at(path))  # asks the server: nothing of it is cached
    except OSError as error:
        return os.strerror(error.errno) if error.errno in DEAD else ""
    return ""


def comes_back(host: Host, path: str) -> bool:
    """Whether it answers after all, within ``RETURN`` seconds."""
    end = time.monotonic() + RETURN
    while dead_among(host, [path]):
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True


def refuse_unless_mountable(
    host: Host, path: str, source: str, fstype: str, options: Sequence[str]
) -> None:
    """``HostError`` unless the same can be mounted elsewhere: its server may only be away."""
    folder = f"/run/nodriza-mount-{os.getpid()}"
    named = ",".join(each for each in options if not FOR_THE_BOOT.match(each))
    host.mkdirs(folder)
    try:
        words = ["mount", "-t", fstype, *(["-o", named] if named else []), source, folder]
        host.run(words, timeout=MOUNTING)
    except HostError as error:
        host.refuse(
            f"{path} is dead, and {source} can't be mounted anew: {error}\n"
            "It is left as it was, for those who wait for it."
        )
    finally:
        host.run(["umount", "--lazy", folder], check=False, timeout=MOUNTING)
        host.run(["rmdir", folder], check=False)


def detach(host: Host, path: str) -> List[str]:
    """Take what is dead away from under those who have it open; which services these were.

    They are stopped before: killed in between, a run finds them so, and the next starts them.
    """
    services = services_in(host, path)
    if services:
        host.run(["systemctl", "stop", *services], check=False, timeout=STOPPING)
    # "lazy", because nobody's file there is worth waiting for; and never by way of a look at the
    # path itself, which asks the server (umount(8)).
    while any(mount.fstype != "autofs" for mount in mounts_of(host).get(path, [])):
        host.run(["umount", "--lazy", "--no-canonicalize", path], timeout=MOUNTING)
    return services


def services_in(host: Host, path: str) -> List[str]:
    """The services with a process that works there or has a file of it open (proc(5)).

    Reading these links asks no server. Sessions of people are not among them.
    """
    found: Dict[str, None] = {}
    for process in host.list("/proc"):
        if process.isdigit() and _is_in(host.at(f"/proc/{process}"), path):
            group = (host.read(f"/proc/{process}/cgroup") or b"").decode("utf-8", "replace")
            if "/user.slice/" not in group:
                found.update(dict.fromkeys(SERVICE.findall(group)))
    return list(found)


def _is_in(process: str, path: str) -> bool:
    links = [f"{process}/cwd", f"{process}/root"]
    with contextlib.suppress(OSError):  # it ended meanwhile
        links += [f"{process}/fd/{number}" for number in os.listdir(f"{process}/fd")]
    for link in links:
        with contextlib.suppress(OSError):
            if f"{os.readlink(link)}/".startswith(f"{path}/"):
                return True
    return False
