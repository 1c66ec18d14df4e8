"""The host's half of the floor: one process that looks at everything a plan speaks of.

It travels as text; ``main`` gets what shall be, a list of ``[noun, subject, wanted]``, and
answers with what is not so. It asks what the project's nouns ask, of the same
programs and files, and does nothing else: no lock, no journal, no diff, no progress.
"""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import stat
import subprocess

TYPE_CHECKING = False
if TYPE_CHECKING:  # at run time that import costs 5 ms
    from typing import Any

    State = dict[str, Any]
KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}
ENABLED = ("enabled", "enabled-runtime", "static", "alias", "indirect", "generated")


def said(*argv: str) -> str:
    """What a program wrote, whatever its exit."""
    return subprocess.run(argv, capture_output=True).stdout.decode()


def place(path: str, wanted: State) -> State | None:
    """A file, a directory or a link; the content is read when its size is the wanted one."""
    try:
        seen = os.lstat(path)
    except OSError:
        return None
    kind = KINDS.get(stat.S_IFMT(seen.st_mode), "other")
    if kind == "link":
        return {"type": kind, "target": os.readlink(path)}
    found: State = {
        "type": kind,
        "owner": pwd.getpwuid(seen.st_uid).pw_name,
        "group": grp.getgrgid(seen.st_gid).gr_name,
        "mode": "%04o" % stat.S_IMODE(seen.st_mode),
    }
    if kind == "file":
        found["size"] = seen.st_size
        if seen.st_size == wanted.get("size"):
            with open(path, "rb") as file:
                found["sha256"] = hashlib.sha256(file.read()).hexdigest()
    return found


def packages(names: list[str]) -> dict[str, State]:
    """One dpkg-query for all."""
    out = said("dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *names)
    there = {line.partition(" ")[0] for line in out.splitlines() if line.endswith(" installed")}
    return {name: {"installed": name in there} for name in names}


def services(names: list[str]) -> dict[str, State]:
    """One systemctl show for all."""
    units = [name if "." in name else name + ".service" for name in names]
    out = said("systemctl", "show", "--property=Names,LoadState,ActiveState,UnitFileState", *units)
    found: dict[str, State] = {}
    for block in out.strip().split("\n\n"):
        is_ = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        for name, unit in zip(names, units):
            if unit in is_.get("Names", "").split():
                found[name] = {
                    "enabled": is_["UnitFileState"] in ENABLED,
                    "running": is_["ActiveState"] in ("active", "reloading"),
                }
    return found


def rows(path: str) -> dict[str, list[str]]:
    """The rows of passwd(5) or group(5), by name."""
    with open(path) as file:
        return {line.split(":")[0]: line.rstrip("\n").split(":") for line in file}


def user(name: str) -> State | None:
    """As passwd(5) and group(5) have it."""
    row = rows("/etc/passwd").get(name)
    if row is None:
        return None
    groups = {int(each[2]): each[0] for each in rows("/etc/group").values()}
    return {"uid": int(row[2]), "group": groups.get(int(row[3])), "shell": row[6]}


def group(name: str) -> State | None:
    """As group(5) has it."""
    row = rows("/etc/group").get(name)
    return None if row is None else {"gid": int(row[2])}


def mount(path: str) -> State | None:
    """The line of fstab(5), and whether it is mounted."""
    with open("/etc/fstab") as file:
        lines = [line.split() for line in file if not line.startswith("#")]
    line = next((line for line in lines if len(line) > 3 and line[1] == path), None)
    if line is None:
        return None
    with open("/proc/self/mountinfo") as file:
        # An automount that waits for its first access counts as mounted.
        mounts = [row.split() for row in file]
    here = [row for row in mounts if row[4] == path]
    source = {row[row.index("-", 6) + 2] for row in here}
    return {"source": line[0], "fstype": line[2], "options": line[3], "mounted": bool(source)}


def command(wanted: State) -> State:
    """Whether the guard says that it is done."""
    done = subprocess.run(wanted["unless"], capture_output=True)
    return {"unless": wanted["unless"]} if done.returncode == 0 else {}


def main(checks: list[tuple[str, str, State]]) -> list[Any]:
    """What is not as wanted: ``[noun, subject, what is there]``."""
    together = {"package": packages, "service": services}
    seen: dict[str, dict[str, State]] = {}
    for noun, look in together.items():
        names = [subject for each, subject, _ in checks if each == noun]
        seen[noun] = look(names) if names else {}
    now: State | None
    alone = {"user": user, "group": group, "mount": mount}
    wrong = []
    for noun, subject, wanted in checks:
        if noun in together:
            now = seen[noun].get(subject)
        elif noun in alone:
            now = alone[noun](subject)
        elif noun == "command":
            now = command(wanted)
        else:
            now = place(subject, wanted)
        if now is None or any(now.get(key) != value for key, value in wanted.items()):
            wrong.append([noun, subject, now])
    return wrong
