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
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nodriza import files
from nodriza.errors import LabError
from nodriza.files import write_whole
from nodriza.inventory.load import lab_folders

RUN = Path("/run/nodriza")
"""What labs have at work on this computer; only root makes them there."""
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
    """Put a whole file in place at once. A link that is there is replaced, never followed."""
    write_whole(path, content.encode(), mode, follow=False)


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
    """Hold ``path`` alone; ``NodrizaError(busy)`` when another holds it for ``seconds``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.locked(path, seconds, busy):
        yield


@contextlib.contextmanager
def one_at_a_time(cluster: str) -> Iterator[None]:
    """The lock of ``up`` and ``down``; it ends with the process, however that ends.

    In a folder of root's: in ``/run/lock`` everybody could put a link, or hold the lock.
    """
    lock = RUN / f"lab-{cluster}.lock"
    with locked(lock, busy=f"another command is working on the lab {cluster}", seconds=600):
        yield
