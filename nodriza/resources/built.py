"""Trees in which a project's own build commands have been run."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, List, Sequence, Tuple

from nodriza.host import cache, transient, tree
from nodriza.host.host import PATH
from nodriza.resources.base import Resource, State

if TYPE_CHECKING:
    from nodriza.host.host import Host

MARKER = ".nodriza-built"
"""A file in the tree: the SHA-256 of the commands that were run."""
BUILDING = 3600
"""Seconds for one command."""
LINES = 20


@dataclass(frozen=True)
class Built(Resource):
    """The tree ``path`` is what all of ``commands`` have made of the tree ``source``.

    They are lines for sh. ``user``, who has no rights, runs them in a transient unit
    (``nodriza.host.transient``) and in a copy of the source, which they see as ``path``. They may
    change that copy and ``cache``, and don't see what is ``hidden``; programs of the environment
    ``venv`` come first in their PATH. The copy becomes root's own and takes its place.
    """

    path: str
    source: str
    commands: Tuple[str, ...]
    user: str
    unit: str
    venv: str
    hidden: Tuple[str, ...] = ()
    cache: str = ""

    ALONE: ClassVar[bool] = True  # the tree and the environment arrive earlier in the run

    def wanted(self) -> State:
        """Which commands were run."""
        return {"sha256": self._digest}

    @property
    def _digest(self) -> str:
        return hashlib.sha256("\n".join(self.commands).encode()).hexdigest()

    @classmethod
    def look(cls, host: Host, many: Sequence[Built]) -> List[State]:
        """Reads the marker."""
        return [one._look(host) for one in many]

    def _look(self, host: Host) -> State:
        if host.stat(self.path) is None:
            return None
        marker = host.read(f"{self.path}/{MARKER}") or b""
        return {"sha256": marker.decode("ascii", "replace").strip()}

    def fix(self, host: Host, now: State) -> None:
        """Run them one after the other; the first that fails leaves what is there as it is."""
        transient.free(host, self.unit, patient=False)  # before its folder goes
        cache.bound(host, self.cache, self.user, tree.extent(host, self.venv)[0])
        is_new = host.stat(self.path) is None
        host.mkdirs(self.path)  # what the copy is mounted on, for the unit alone
        try:
            self._make(host, "" if is_new else os.path.dirname(self.path))
        except BaseException:
            if is_new:
                host.remove(self.path)
            raise

    def _make(self, host: Host, used: str) -> None:
        with tree.made_whole(host, self.path, used=used) as new:
            real = host.at(new)
            host.run(["cp", "-R", "-T", "--", host.at(self.source), real], timeout=None)
            host.run(["chown", "-R", "-h", f"{self.user}:", real])
            host.own(new, self.user, host.group_of(self.user), "0755")
            for command in self.commands:
                self._run(host, command, new)
            tree.take(host, new)
            host.write(f"{new}/{MARKER}", f"{self._digest}\n")

    def _run(self, host: Host, command: str, copy: str) -> None:
        writable = tuple(filter(None, (self.path, self.cache)))
        unit = transient.Unit(
            self.unit, self.user, writable, self.hidden, binds=((copy, self.path),)
        )
        done = transient.run(
            host,
            unit,
            ["sh", "-c", command],
            cwd=self.path,
            timeout=BUILDING,
            env={"PATH": f"{host.at(self.venv)}/bin:{PATH}"},
            check=False,
        )
        if done.exit:
            words = "\n".join((done.err.strip() or done.out.strip()).splitlines()[-LINES:])
            host.refuse(f"app.hooks.build: {command}: exit {done.exit}\n{words}")
