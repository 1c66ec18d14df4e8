"""The Python of a host, as an environment from another host needs it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, List, Sequence

from nodriza.resources.base import Resource, State
from nodriza.resources.venv import made_for, tag

if TYPE_CHECKING:
    from nodriza.host.host import Host


@dataclass(frozen=True)
class Interpreter(Resource):
    """``python`` is the one that the environment ``venv``, made on another host, was made for.

    An environment has its packages in a folder that is named after the minor version, and
    what was compiled in it loads in that one only. Where they differ nothing can be mended here.
    """

    venv: str
    python: str

    ALONE: ClassVar[bool] = True  # the environment may arrive earlier in the run

    @property
    def ahead(self) -> bool:
        """It changes nothing."""
        return True

    def wanted(self) -> State:
        """It is; an environment that is not there yet fits."""
        return {"fits": True}

    @classmethod
    def look(cls, host: Host, many: Sequence[Interpreter]) -> List[State]:
        """Reads what the environment says of itself, and asks the Python."""
        return [{"fits": one._made(host) in ("", tag(host, one.python))} for one in many]

    def _made(self, host: Host) -> str:
        return made_for(host, self.venv)

    def fix(self, host: Host, now: State) -> None:
        """Say what does not fit."""
        made, own = called(self._made(host)), tag(host, self.python)
        has = called(own) if own else f"no {self.python}"
        host.refuse(
            f"{self.venv} is made for the Python of the node that builds, {made}, and this node"
            f" has {has}. On the share there is one environment for all nodes: they need the same"
            " release of Debian. With app.releases: local each node can have its own"
        )


def called(tag: str) -> str:
    """ "Python 3.11" for "cpython-311" (PEP 3147)."""
    implementation, _, number = tag.partition("-")
    return f"Python {number[:1]}.{number[1:]}" if implementation == "cpython" else tag
