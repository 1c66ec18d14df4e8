"""What a drill needs of this computer, told before anything is made."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nodriza.drill.cluster import LEAST_MB
from nodriza.errors import LabError, SecretError, TargetError
from nodriza.lab import programs
from nodriza.wording import count

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node

OURS = 0.7
"""The part of the memory that is free now, for all machines."""
MACHINE_MB = 1500
"""On the disk, for what each machine installs."""
COPIES = 3
"""The rows are there packed, rebuilt, and while they are rebuilt."""


def refuse_without(cluster: Cluster, values: Mapping[str, str]) -> None:
    """Raise a ``NodrizaError`` for what is not there: programs, the section, secrets, source."""
    programs.require({"restic": "restic"})
    if cluster.backup is None or cluster.backup.of:
        of = cluster.backup.of if cluster.backup else ""
        raise TargetError(
            f"these are the backups of {of}" if of else "this inventory has no backup",
            where=str(cluster.path),
            kept="nothing was done",
            do=f"fab {of} drill" if of else "backup: {to: …} in it (docs/backup.rst)",
        )
    needed = {"sftp": ("backup_ssh_key",), "s3": ("backup_s3_id", "backup_s3_secret")}
    for name in ("backup_password", *needed.get(cluster.backup.remote, ())):
        if name not in values:
            raise SecretError(
                f"there is no secret {name}, with which the backups are read",
                kept="nothing was made",
                do=f"fab secrets.set {name} (docs/disaster.rst)",
            )
    if not (cluster.app.source_path / "manage.py").is_file():
        raise TargetError(
            f"no manage.py in {cluster.app.source_path}: a drill deploys the application",
            kept="nothing was made",
            do="git clone it there",
        )


def memory_mb(nodes: Sequence[Node], free_mb: int | None = None) -> int:
    """What all machines may have; ``LabError`` where that is too little for them."""
    free = _free_memory() if free_mb is None else free_mb
    most = int(free * OURS)
    if most < LEAST_MB * len(nodes):
        raise LabError(
            f"{count(len(nodes), 'node')} need {LEAST_MB * len(nodes)} MB of memory, and"
            f" {most} MB of this computer's can be theirs",
            kept="nothing was made",
            do="fewer of them: fab drill --only central,server-2",
        )
    return most


def refuse_no_room(folder: Path, nodes: Sequence[Node], size: int) -> None:
    """Raise ``LabError`` where the disk is too small. ``size``: bytes of the data, rebuilt."""
    needed = (COPIES * size >> 20) + MACHINE_MB * len(nodes)
    free = shutil.disk_usage(folder).free >> 20
    if free < needed:
        raise LabError(
            f"{folder} has {free} MB free, and the drill needs {needed} MB",
            kept="no machine was made",
            do="make room, or fewer nodes: fab drill --only central,server-2",
        )


def _free_memory() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    pairs = dict(line.split(":") for line in lines)
    words = pairs.get("MemAvailable", "").split()
    if words:
        return int(words[0]) // 1024
    return (os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")) >> 20
