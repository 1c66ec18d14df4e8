"""What shall not be there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, List, Sequence

from nodriza.resources.base import Resource, State

if TYPE_CHECKING:
    from nodriza.host.host import Host


@dataclass(frozen=True)
class Absent(Resource):
    """No file, link or directory at this path; a directory goes with all that is in it."""

    path: str

    def wanted(self) -> State:
        """Nothing."""
        return None

    @classmethod
    def look(cls, host: Host, many: Sequence[Absent]) -> List[State]:
        """One ``lstat`` each."""
        stats = [host.stat(absent.path) for absent in many]
        return [seen and {"type": seen.type} for seen in stats]

    def fix(self, host: Host, now: State) -> None:
        """Takes it away."""
        host.remove(self.path)
