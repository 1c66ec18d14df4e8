"""Files whose time of modification is a message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, List, Sequence, Tuple

from nodriza.resources.base import Resource, State, ids

if TYPE_CHECKING:
    from nodriza.host.host import Host


@dataclass(frozen=True)
class Touch(Resource):
    """A file that is touched when one of ``on_change`` (resources or ids) changed.

    What is in it stays; ``owner`` and ``group`` are for a file that has to be made.
    """

    path: str
    on_change: Tuple[Any, ...] = ()
    owner: str = "root"
    group: str = "root"

    def __post_init__(self) -> None:
        object.__setattr__(self, "on_change", ids(self.on_change))

    def wanted(self) -> State:
        """That it is there; whether it is due is the journal's knowledge."""
        return {"exists": True}

    @classmethod
    def look(cls, host: Host, many: Sequence[Touch]) -> List[State]:
        """One ``lstat`` each."""
        return [{"exists": True} if host.stat(touch.path) else None for touch in many]

    def fix(self, host: Host, now: State) -> None:
        """A new time, seen by whoever watches it, over a network file system as well."""
        if now is None:
            host.write(self.path, b"", owner=self.owner, group=self.group)
        else:
            host.touch(self.path)
