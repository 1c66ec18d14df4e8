"""What drills came to: ``production.drill.json`` beside ``production.yml``.

``nodriza.drill`` writes it, and it may be committed: there is no secret in it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nodriza.files import content, write_whole
from nodriza.ssh.bounded import Line, Number


class Drill(BaseModel):
    """One of them. ``at``: when it began, in seconds since the epoch. ``failed``: at which
    stage, and nothing where the cluster was rebuilt.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: Number
    seconds: Number
    backup: Line
    rows: Annotated[int, Field(ge=0)] = 0
    failed: Line = ""

    @property
    def words(self) -> str:
        """For a person."""
        day = f"{time.gmtime(self.at).tm_mday} {time.strftime('%B %Y', time.gmtime(self.at))}"
        if self.failed:
            return f"the drill of {day} failed at {self.failed}: this cluster was not rebuilt"
        return (
            f"this cluster could be rebuilt on {day} in {minutes(self.seconds)}:"
            f" {self.rows} rows of backup {self.backup}"
        )


class Drills(BaseModel):
    """The last one, and the last one that rebuilt the cluster."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    last: Drill | None = None
    rebuilt: Drill | None = None

    @property
    def wrong(self) -> bool:
        """Whether the last one failed."""
        return bool(self.last and self.last.failed)

    @property
    def words(self) -> list[str]:
        """For a person; nothing where there was none."""
        shown = [self.last, self.rebuilt] if self.wrong else [self.last]
        return [drill.words for drill in shown if drill]


def beside(inventory: Path) -> Path:
    """The file that belongs to an inventory."""
    return inventory.with_name(f"{inventory.stem}.drill.json")


def read(inventory: Path) -> Drills:
    """What is remembered; nothing where that can't be read."""
    try:
        return Drills.model_validate_json(content(beside(inventory)) or b"{}")
    except (OSError, ValidationError):
        return Drills()


def remember(inventory: Path, drill: Drill) -> None:
    """The last one; the one that rebuilt the cluster stays until another one does."""
    rebuilt = read(inventory).rebuilt if drill.failed else drill
    data = Drills(last=drill, rebuilt=rebuilt).model_dump_json(indent=1, exclude_none=True)
    path = beside(inventory)
    write_whole(path, f"{data}\n".encode(), 0o644)
    owner = path.parent.stat()
    if os.geteuid() == 0:  # a drill is root's, and the folder an operator's
        os.chown(path, owner.st_uid, owner.st_gid)


def minutes(seconds: float) -> str:
    """As people say it: "7 min 12 s"."""
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"
