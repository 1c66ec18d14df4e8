"""Which trees of files processes of this host work in: what they were begun with is theirs."""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING, Iterator, Set

if TYPE_CHECKING:
    from nodriza.host.host import Host

WORDS = 4096
"""Bytes of a command line that are looked at: its program and first options."""


def at_work(host: Host, folder: str) -> Set[str]:
    """The names in ``folder`` that a process has as its program, or works in (proc(5)).

    A worker enters its release when it begins (``templates/uwsgi/release.py.j2``,
    ``templates/celery/worker.sh.j2``), and so does whatever it starts. One that goes elsewhere
    later on is known by its command line.
    """
    beginning = os.path.realpath(host.at(folder)).rstrip("/") + "/"
    inside = re.compile(re.escape(os.fsencode(beginning)) + rb"([^/\0\s]+)")
    return {os.fsdecode(found) for said in _said_by_processes() for found in inside.findall(said)}


def _said_by_processes() -> Iterator[bytes]:
    for process in os.listdir("/proc"):
        if not process.isdigit():
            continue
        for name in ("cwd", "exe", "root"):
            with contextlib.suppress(OSError):  # it ended meanwhile, or is the kernel's
                yield os.fsencode(os.readlink(f"/proc/{process}/{name}"))
        with contextlib.suppress(OSError), open(f"/proc/{process}/cmdline", "rb") as file:
            yield file.read(WORDS)
