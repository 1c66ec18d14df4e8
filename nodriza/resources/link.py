"""Symbolic links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, List, Optional, Sequence

from nodriza.resources.base import CHANGED, Resource, State

if TYPE_CHECKING:
    from nodriza.agent.left import Left
    from nodriza.host.host import Host


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

    def mark(self) -> str:
        """Where it points."""
        return self.target

    @classmethod
    def remains(cls, host: Host, left: Left) -> Optional[str]:
        """It goes while it points where a plan let it point."""
        if host.stat(left.name) is None:
            return "" if host.begun(left.name) else None
        return "" if host.readlink(left.name) in left.marks else CHANGED

    @classmethod
    def take_away(cls, host: Host, left: Left) -> None:
        """The link alone."""
        host.remove(left.name)
