"""Where a lab keeps what it must remember, and the lock that one command at a time holds.

::

    /var/lib/nodriza/lab/three-node/
        overlay.json        what the inventory needs to know of the lab
        network.json        what the network was made from
        ssh/                the lab's key and its machines' host keys
        machines/server-2/  image boot.sh console.log started upper/ work/ root/
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nodriza.errors import LabError
from nodriza.inventory.load import lab_folders

SAFE = re.compile(r"[A-Za-z0-9_./+@-]+")


def state_root() -> Path:
    """The folder of all labs of whoever types this."""
    return lab_folders()[0]


@dataclass(frozen=True)
class Place:
    """The files of one lab."""

    cluster: str

    @property
    def folder(self) -> Path:
        """All of the lab; it goes with ``down``."""
        return state_root() / self.cluster

    @property
    def overlay(self) -> Path:
        """What ``load_cluster`` reads."""
        return self.folder / "overlay.json"

    @property
    def network(self) -> Path:
        """What the network was made from."""
        return self.folder / "network.json"

    @property
    def key(self) -> Path:
        """The private key that every machine lets in as root."""
        return self.folder / "ssh" / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """Every machine's host key, by all of its addresses."""
        return self.folder / "ssh" / "known_hosts"

    @property
    def machines(self) -> Path:
        """One folder per machine."""
        return self.folder / "machines"

    def machine(self, name: str) -> Path:
        """The folder of one machine."""
        return self.machines / name

    def make(self) -> None:
        """Make the folders. The lab's name is readable by all, its keys and disks by root."""
        if not SAFE.fullmatch(str(self.folder)):
            raise LabError(
                f"{self.folder}: overlay mounts take no path with blanks, commas or colons",
                do="set NODRIZA_LAB_STATE to a plainer path",
            )
        self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        for folder in (self.key.parent, self.machines):
            folder.mkdir(mode=0o700, exist_ok=True)


def write(path: Path, content: str, *, mode: int = 0o644) -> None:
    """Put a whole file in place at once."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(content)
        os.fchmod(file.fileno(), mode)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Put data in place at once."""
    write(path, json.dumps(data, indent=1) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The data; empty where no file is or a half one."""
    try:
        data = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


@contextlib.contextmanager
def locked(path: Path, *, busy: str, seconds: float) -> Iterator[None]:
    """Hold ``path`` alone; ``LabError(busy)`` when another holds it for ``seconds``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    until = time.monotonic() + seconds
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise LabError(busy, do="wait for it, then try again") from None
                time.sleep(0.1)
        yield


@contextlib.contextmanager
def one_at_a_time(cluster: str) -> Iterator[None]:
    """The lock of ``up`` and ``down``; it ends with the process, however that ends."""
    lock = Path(f"/run/lock/nodriza-lab-{cluster}.lock")
    with locked(lock, busy=f"another command is working on the lab {cluster}", seconds=600):
        yield
