"""Why pip, uv or ``python -m venv`` failed, in words."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodriza.host.errors import Result
    from nodriza.host.host import Host

LINES = 20
_UNREACHED = re.compile(
    r"(Temporary failure in name resolution|Name or service not known|No address associated"
    r" with hostname|Connection refused|Network is unreachable|No route to host"
    r"|[Cc]onnect(?:ion)?(?: to \S+)? timed out|[Rr]ead timed out|certificate verify failed[^')]*"
    r"|operation timed out|invalid peer certificate[^\n]*)"
)
"""How pip and uv end when they can't reach an index; most words are glibc's and OpenSSL's."""
_FULL = re.compile(r"No space left on device|Disk quota exceeded|os error 28\b")
_PASSWORD = re.compile(r"(?<=://)[^/@\s]+@")
"""What stands before the host in an address; pip.conf has it where an index wants a log-in."""


def refuse_failed(host: Host, done: Result) -> None:
    """Raise ``HostError`` with which of them failed and what it said; nothing where none did."""
    if done.exit:
        venv = "venv" in done.argv
        words = ("pip", "install", "sync")
        uv = ["uv"] if os.path.basename(done.argv[0]) == "uv" else []
        said = [word for word in map(os.path.basename, done.argv) if word in words]
        what = "python -m venv" if venv else " ".join([*uv, *said])
        host.refuse(f"{what}: exit {done.exit}\n{reason(done.err or done.out)}")


def reason(words: str) -> str:
    """What it said, and above it why, where that stands in the middle of it."""
    words = _PASSWORD.sub("…@", words)
    lines = words.strip().splitlines()[-LINES:]
    if found := _UNREACHED.search(words):
        lines.insert(0, f"the package index can't be reached from this host: {found.group()}")
    if _FULL.search(words):
        lines.insert(0, "a disk of this host became full meanwhile (df -h, df -i)")
    return "\n".join(lines)
