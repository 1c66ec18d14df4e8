"""What is mounted, and what fstab(5) wants to be."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Dict, List, NamedTuple, Optional, Sequence

if TYPE_CHECKING:
    from nodriza.host.host import Host

FSTAB = "/etc/fstab"
MOUNTINFO = "/proc/self/mountinfo"


class MountEntry(NamedTuple):
    """One mount, as fstab(5) and mountinfo both tell of it."""

    source: str
    fstype: str
    options: str


def find_entry(fstab: bytes, path: str) -> Optional[MountEntry]:
    """The first line of an fstab that is about ``path``."""
    for row in fstab.split(b"\n"):
        fields = _fields(row)
        if _is_about(fields, path):
            return MountEntry(fields[0], fields[2], fields[3] if len(fields) > 3 else "defaults")
    return None


def with_entry(fstab: bytes, path: str, entry: Optional[MountEntry]) -> bytes:
    """An fstab in which ``entry``, or none, is the one about ``path``; every other byte stays."""
    rows = fstab.split(b"\n")
    at = next((at for at, row in enumerate(rows) if _is_about(_fields(row), path)), None)
    if entry is None:
        return fstab if at is None else b"\n".join([*rows[:at], *rows[at + 1 :]])
    new = " ".join(_encoded(part) for part in (entry.source, path, entry.fstype, entry.options))
    if at is not None:
        rows[at] = f"{new} 0 0".encode("utf-8", "surrogateescape")
        return b"\n".join(rows)
    end = b"" if fstab.endswith(b"\n") or not fstab else b"\n"
    return fstab + end + f"{new} 0 0\n".encode("utf-8", "surrogateescape")


def write_entry(host: Host, path: str, entry: Optional[MountEntry]) -> None:
    """And let systemd read it."""
    seen, old = host.stat(FSTAB), host.read(FSTAB) or b""
    new = with_entry(old, path, entry)
    if new != old and seen:
        host.write(FSTAB, new, owner=seen.owner, group=seen.group, mode=seen.mode)
    elif new != old:
        host.write(FSTAB, new)
    host.run(["systemctl", "daemon-reload"])


def mounts_of(host: Host) -> Dict[str, List[MountEntry]]:
    """Mount point to what is mounted there, the lowest first (proc_pid_mountinfo(5))."""
    mounts: Dict[str, List[MountEntry]] = {}
    for row in (host.read(MOUNTINFO) or b"").split(b"\n"):
        fields = _fields(row)
        if "-" in fields[6:]:
            fstype, source = fields[fields.index("-", 6) + 1 :][:2]
            mounts.setdefault(fields[4], []).append(MountEntry(source, fstype, fields[5]))
    return mounts


def _is_about(fields: Sequence[str], path: str) -> bool:
    comment = bool(fields) and fields[0].startswith("#")
    return len(fields) >= 3 and not comment and posixpath.normpath(fields[1]) == path


def _fields(row: bytes) -> List[str]:
    """Words, with the octal escapes for blanks in them resolved."""
    words = (re.sub(rb"\\([0-3][0-7]{2})", _byte, word) for word in row.split())
    return [word.decode("utf-8", "surrogateescape") for word in words]


def _byte(match: re.Match[bytes]) -> bytes:
    return bytes([int(match.group(1), 8)])


def _encoded(word: str) -> str:
    return re.sub(r"[ \t\n\\]", lambda match: f"\\{ord(match.group()):03o}", word)
