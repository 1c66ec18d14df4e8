"""Directories."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, List, Optional, Sequence

from nodriza.host.files import is_temporary
from nodriza.resources.base import CHANGED, Resource, State

if TYPE_CHECKING:
    from nodriza.agent.left import Left
    from nodriza.host.host import Host


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

    def mark(self) -> str:
        """For who brings it back with the files that were in it: its fields, a line each."""
        return "\n".join((self.path, self.owner, self.group, self.mode))

    @classmethod
    def remains(cls, host: Host, left: Left) -> Optional[str]:
        """It goes when it is empty, once all has gone that goes with it."""
        seen = host.stat(left.name)
        if seen is None:
            return None
        if seen.type != "directory":
            return CHANGED
        names = (name for name in host.list(left.name) if not is_temporary(name))
        there = {f"{left.name}/{name}" for name in names}
        return "" if there <= left.beside else "it is not empty"

    @classmethod
    def take_away(cls, host: Host, left: Left) -> None:
        """rmdir(2), which takes nothing with it."""
        host.rmdir(left.name)
