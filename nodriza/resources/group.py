"""Groups of the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, List, Optional, Sequence

from nodriza.resources.base import Resource, State

if TYPE_CHECKING:
    from nodriza.host.host import Host


@dataclass(frozen=True)
class Group(Resource):
    """A system group; with ``gid`` where the number must be the same on several hosts.

    A changed number leaves the files that carry the old one as they are (groupmod(8)).
    """

    name: str
    gid: Optional[int] = None
    STAYS: ClassVar[str] = "files belong to its number"

    def wanted(self) -> State:
        """The number only where one was given."""
        return {"exists": True, **({} if self.gid is None else {"gid": self.gid})}

    @classmethod
    def look(cls, host: Host, many: Sequence[Group]) -> List[State]:
        """group(5), read once."""
        numbers = {row[0]: int(row[2]) for row in read_table(host, "/etc/group", 4)}
        return [
            {"exists": True, "gid": numbers[group.name]} if group.name in numbers else None
            for group in many
        ]

    def fix(self, host: Host, now: State) -> None:
        """Through groupadd(8), so that gshadow and the system's range of numbers are right."""
        number = [] if self.gid is None else ["--gid", str(self.gid)]
        program = ["groupadd", "--system"] if now is None else ["groupmod"]
        host.run([*program, *in_root(host), *number, self.name])


def read_table(host: Host, path: str, columns: int) -> List[List[str]]:
    """The rows of a file such as passwd(5); incomplete ones (NIS "+") are left out.

    The file and not ``pwd``: that one may ask the network, and a cache that is behind.
    """
    lines = (host.read(path) or b"").decode("utf-8", "surrogateescape").splitlines()
    rows = [line.split(":") for line in lines]
    return [row for row in rows if len(row) == columns and row[2].isdigit()]


def in_root(host: Host) -> List[str]:
    """The option that points the shadow programs to the host's files."""
    return ["--prefix", host.root] if host.root else []
