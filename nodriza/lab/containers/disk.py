"""A machine's own part of its disk: the upper layer over the base image."""

from __future__ import annotations

import os
import shutil
import time
import uuid
from pathlib import Path

from nodriza.errors import LabError
from nodriza.lab import programs, state

HOST_KEY = "etc/ssh/ssh_host_ed25519_key"
ARCHIVES = "var/cache/apt/archives"
DEBS = Path("/var/cache/nodriza/debs")
KEEP_DAYS = 60


def seed(upper: Path, name: str, public_key: str) -> None:
    """What makes this disk this machine's: its name, its identity, and who may log in."""
    for folder, mode in (("", 0o755), ("etc", 0o755), ("etc/ssh", 0o755), ("root", 0o700)):
        (upper / folder).mkdir(exist_ok=True)
        (upper / folder).chmod(mode)
    (upper / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
    write_inside(upper, "etc/hostname", f"{name}\n")
    write_inside(upper, "etc/hosts", f"127.0.0.1\tlocalhost\n127.0.1.1\t{name}\n")
    write_inside(upper, "etc/machine-id", f"{uuid.uuid4().hex}\n", mode=0o444)
    write_inside(upper, "root/.ssh/authorized_keys", public_key, mode=0o600)
    make_key(upper / HOST_KEY, f"root@{name}")


def write_inside(upper: Path, name: str, content: str, *, mode: int = 0o644) -> None:
    """Write a file of a machine that is off, and nothing outside of its disk.

    The machine's root may have put a link in the place of a folder: followed from here, it
    would lead to a folder of this computer.
    """
    path = upper / name
    if path.parent.resolve() != (upper.resolve() / name).parent:
        raise LabError(
            f"{path.parent} is a link that somebody made on the machine",
            kept="it was not followed",
            do="fab lab.down makes the machine anew, with the others: fab lab.up",
        )
    state.write(path, content, mode=mode)


def make_key(path: Path, comment: str) -> None:
    """A new ed25519 key, without a passphrase."""
    path.unlink(missing_ok=True)
    programs.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path])


def host_key(upper: Path) -> str:
    """A machine's public host key: type and data."""
    return " ".join((upper / f"{HOST_KEY}.pub").read_text().split()[:2])


def resolvers() -> str:
    """The controller's resolv.conf, or behind a stub on its loopback what that asks."""
    stub = ("#", "nameserver 127.", "nameserver ::1")
    for path in (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf")):
        lines = path.read_text().splitlines() if path.exists() else []
        real = [line for line in lines if not line.startswith(stub)]
        if any(line.startswith("nameserver") for line in real):
            return "\n".join(real) + "\n"
    return "# The controller names no resolver that a machine could reach.\n"


def lend_packages(upper: Path, image: Path) -> None:
    """Put what earlier machines on the same image have downloaded into apt's own cache.

    The bytes are shared with the cache; apt takes what has the right name and size.
    """
    kept = sorted((DEBS / image.name).glob("*.deb"))
    folder = upper / ARCHIVES
    if kept:
        for part in reversed(folder.relative_to(upper).parents):
            (upper / part).mkdir(mode=0o755, exist_ok=True)
        folder.mkdir(mode=0o755, exist_ok=True)
    for path in kept:
        _link(path, folder / path.name)


def keep_packages(upper: Path, image: Path) -> None:
    """Before a disk goes: keep what apt has downloaded for the next machine."""
    found = sorted((upper / ARCHIVES).glob("*.deb"))
    cache = DEBS / image.name
    if found:
        cache.mkdir(parents=True, exist_ok=True)
    for path in found:
        _link(path, cache / path.name)
    for path in cache.glob("*.deb"):
        if path.stat().st_ctime < time.time() - KEEP_DAYS * 86400:
            path.unlink(missing_ok=True)


def _link(old: Path, new: Path) -> None:
    if new.exists() or not old.is_file() or old.is_symlink():
        return
    try:
        os.link(old, new)
    except FileExistsError:
        pass
    except OSError:  # another file system
        part = new.with_name(f".{new.name}.{os.getpid()}")
        shutil.copy2(old, part)
        part.rename(new)
