"""A machine in the lab's networks that the inventory does not know."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.lab.project import Project

NAME = "stranger"


def make(
    folder: Path, name: str, third: int, times: dict[str, float], **top: Any
) -> tuple[Project, Project]:
    """An operator's project with its lab up, and one by which to reach the stranger.

    Both are the same lab; only the second one's inventory has the stranger in it.
    """
    project = Project.make(folder / "operator", name, third)
    project.times = times
    project.data.update(top)
    outside = Project.make(folder / "outside", name, third)
    outside.data = copy.deepcopy(project.data)
    outside.data.pop("tls", None)
    outside.data["nodes"][NAME] = {
        "kind": "video",
        "private": f"198.18.{third}.66",
        "public": f"198.18.{third + 1}.66",
    }
    outside.write()
    outside.fab("lab.down")  # what a run before this one may have left
    outside.fab("lab.up").well()
    project.write()
    return project, outside


def install(outside: Project, packages: Sequence[str]) -> None:
    """Debian packages on the stranger's machine."""
    words = " ".join(packages)
    outside.on(
        NAME,
        "DEBIAN_FRONTEND=noninteractive SYSTEMD_OFFLINE=1"
        f" apt-get -qqy install --no-install-recommends {words} >/dev/null",
    )
