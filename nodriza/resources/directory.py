"""Directories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, List, Sequence

from nodriza.resources.base import Resource, State

if TYPE_CHECKING:
    from nodriza.agent.host import Host


@dataclass(frozen=True)
class Directory(Resource):
    """A directory with an owner, a group and a mode; what is in it is left alone."""

    path: str
    owner: str = "root"
    group: str = "root"
    mode: str = "0755"

    def wanted(self) -> State:
        """All four are compared."""
        return {
            "type": "directory",
            "owner": self.owner,
            "group": self.group,
            "mode": self.mode,
        }

    @classmethod
    def look(cls, host: Host, many: Sequence[Directory]) -> List[State]:
        """One ``lstat`` each."""
        stats = [host.stat(directory.path) for directory in many]
        return [
            seen
            and {"type": seen.type, "owner": seen.owner, "group": seen.group, "mode": seen.mode}
            for seen in stats
        ]

    def fix(self, host: Host, now: State) -> None:
        """Makes it, private first, then gives it its owner and mode.

        Anything else that is in the way stays there.
        """
        if now is None:
            host.mkdir(self.path)
        elif now["type"] != "directory":
            host.refuse(f"{self.path} is a {now['type']}, a directory was to go there")
        host.own(self.path, self.owner, self.group, self.mode)
