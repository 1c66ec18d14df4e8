"""Who may not log in to MariaDB any more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, List, Sequence, Tuple

from nodriza.resources.base import Resource, State
from nodriza.resources.database import ask, drop

if TYPE_CHECKING:
    from nodriza.host.host import Host


@dataclass(frozen=True)
class DatabaseAccess(Resource):
    """No account of this name at any other host than these: who left the cluster is out."""

    name: str
    hosts: Tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "hosts", tuple(self.hosts))

    def wanted(self) -> State:
        """Nobody else."""
        return {"others": ""}

    @classmethod
    def look(cls, host: Host, many: Sequence[DatabaseAccess]) -> List[State]:
        """All at once; nobody where there is no server."""
        accounts = ask(host, "SELECT User, Host FROM mysql.global_priv;") or []
        return [
            {
                "others": ", ".join(
                    at
                    for name, at in sorted(map(tuple, accounts))
                    if name == access.name and at not in access.hosts
                )
            }
            for access in many
        ]

    def fix(self, host: Host, now: State) -> None:
        """They go, with their connections."""
        for at in str((now or {}).get("others") or "").split(", "):
            drop(host, self.name, at)
