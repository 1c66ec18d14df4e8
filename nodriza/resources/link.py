"""Symbolic links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, List, Sequence

from nodriza.resources.base import Resource, State

if TYPE_CHECKING:
    from nodriza.agent.host import Host


@dataclass(frozen=True)
class Link(Resource):
    """A symbolic link; switched at once by rename.

    ``ahead``: of one that leads to what nobody is served from by default.
    """

    path: str
    target: str
    ahead: bool = False

    def wanted(self) -> State:
        """Where it points, as text."""
        return {"type": "link", "target": self.target}

    @classmethod
    def look(cls, host: Host, many: Sequence[Link]) -> List[State]:
        """The target is read, not followed."""
        states: List[State] = []
        for link in many:
            seen = host.stat(link.path)
            states.append(seen and {"type": seen.type, "target": host.readlink(link.path)})
        return states

    def fix(self, host: Host, now: State) -> None:
        """Replaces a link only: a file or directory in its place is somebody's data."""
        if now is not None and now["type"] != "link":
            host.refuse(f"{self.path} is a {now['type']}, a link was to go there")
        host.symlink(self.path, self.target)
