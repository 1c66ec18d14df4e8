"""The tables of a database, as a release wants them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, List, Optional, Sequence, Tuple

from nodriza.host import inside
from nodriza.host.errors import CommandFailed
from nodriza.resources.base import Resource, State

if TYPE_CHECKING:
    from nodriza.host.host import Host


@dataclass(frozen=True)
class Migrations(Resource):
    """Every migration of the release in ``path`` is applied: ``manage.py migrate``.

    A ``Preflight`` of the same run has found what is pending. It takes as long as it takes:
    MariaDB does not undo the half of one that is cut short. Where it fails ``words`` are added,
    and ``seal`` goes, the file that says the release is whole: it can't serve.
    The others are as in ``Trial``.
    """

    path: str
    current: str
    words: str = ""
    seal: str = ""
    user: Optional[str] = None
    env_file: str = ""
    unit: str = ""
    writable: Tuple[str, ...] = ()
    hidden: Tuple[str, ...] = ()

    ALONE: ClassVar[bool] = True  # what is pending, the preflight has to have found

    def wanted(self) -> State:
        """Nothing is pending."""
        return {"applied": True}

    @classmethod
    def look(cls, host: Host, many: Sequence[Migrations]) -> List[State]:
        """What serves has all of its own; of others the preflight knows."""
        return [{"applied": one._is_applied(host)} for one in many]

    def _is_applied(self, host: Host) -> bool:
        if host.readlink(self.current) == self.path:
            return True
        return self.path in host.preflights and not host.preflights[self.path]["number"]

    def foretell(self, host: Host) -> None:
        """Say which they are, where the preflight of this check knows."""
        if self.path in host.preflights:
            self._say_which(host)

    def _say_which(self, host: Host) -> None:
        found = host.preflights[self.path]
        shown = found["pending"] if not found["first"] else []
        for line in shown:
            host.note(f"migrates {line}")
        if left := found["number"] - len(shown):
            host.note(f"migrates {left} {'more' if shown else 'of a new database'}")

    def fix(self, host: Host, now: State) -> None:
        """Say which they are, and apply them."""
        if self.path not in host.preflights:
            host.refuse(f"nothing has looked at the migrations of {self.path}")
        self._say_which(host)
        argv = ["manage.py", "migrate", "--noinput"]
        try:
            inside.python(host, self, self.path, argv, timeout=None, check=True)
        except CommandFailed as error:
            if self.seal:
                host.remove(self.seal)
            host.refuse(f"{error}\n{self.words}")
        host.preflights[self.path]["number"] = 0
