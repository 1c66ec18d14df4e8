"""The environment of a release, on a node that did not make the release."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Dict, List, Sequence, Tuple

from nodriza.host import tree
from nodriza.host.errors import HostError
from nodriza.resources.base import Resource, State, gap_between
from nodriza.resources.copy import Copy
from nodriza.resources.interpreter import called
from nodriza.resources.package import Package
from nodriza.resources.sealed import Sealed, read_seal
from nodriza.resources.venv import Venv, made_for, tag

if TYPE_CHECKING:
    from nodriza.host.host import Host

RECIPE = "environment.json"
"""In a release: ``requirements``, a path in it, the name of the ``folder`` that relative paths in
them begin in, ``digest`` and ``installer``, for those that make its environment themselves.
"""


@dataclass(frozen=True)
class Environment(Resource):
    """``path`` is the environment of ``release``, for the ``python`` of this host.

    The node that builds has made one for the Python ``made_for`` (``tag``). A host that has the
    same takes ``copy``. Any other host makes its own, by the recipe in the release: ``venv``
    and ``uv`` say who installs it and where, the recipe says what, and ``packages`` are what that
    needs. No host takes what another one has made for itself: root there could change what runs
    here. What its own one holds is written down in ``seal``, on its own disk, and one that
    somebody has changed is made anew.
    """

    path: str
    release: str
    python: str
    made_for: str
    copy: Copy
    venv: Venv
    uv: Venv
    packages: Tuple[str, ...]
    seal: str

    ALONE: ClassVar[bool] = True  # the release may arrive earlier in the run
    FROM_ANOTHER: ClassVar[bool] = True

    @property
    def ahead(self) -> bool:
        """Nobody runs it yet; one that is mended is made beside its place."""
        return True

    def wanted(self) -> State:
        """As it was made, here or there."""
        return {"intact": True}

    @classmethod
    def look(cls, host: Host, many: Sequence[Environment]) -> List[State]:
        """Looks at every file, and asks the Python."""
        return [one._look(host) for one in many]

    def _look(self, host: Host) -> State:
        own = tag(host, self.python)
        if self._is_copy(own):
            (there,) = Copy.look(host, [self.copy])
            return there and {"intact": not gap_between(self.copy, there)}
        found = tree.digest(host, self.path, thorough=self.copy.thorough)
        if found is None:
            return None
        seal = read_seal(host, self.seal)
        fits = made_for(host, self.path) == own
        return {"intact": fits and seal is not None and seal["tree"] == found}

    def _is_copy(self, own: str) -> bool:
        return self.made_for in ("", own)

    def vet(self, host: Host) -> None:
        """As a copy, it has to have room before it comes."""
        if self._is_copy(tag(host, self.python)):
            self.copy.vet(host)

    def fix(self, host: Host, now: State) -> None:
        """Take it, or make it; what is written down of it comes last."""
        own = tag(host, self.python)
        host.remove(self.seal)
        if self._is_copy(own):
            self.copy.fix(host, None)
            return
        if not own:
            host.refuse(f"{self.path} is of no use here: this node has no {self.python}")
        about = f"this node has {called(own)}, and the node that builds {called(self.made_for)}"
        host.note(f"{about}: it makes an environment of its own, {self.path}")
        try:
            self._make(host)
        except HostError as error:
            host.refuse(f"{about}. Its own environment can't be made:\n{error}")
        Sealed(self.path, seal=self.seal).fix(host, None)

    def _make(self, host: Host) -> None:
        recipe = self._recipe(host)
        packages = [Package(name) for name in self.packages]
        lacking = [
            each for each, there in zip(packages, Package.look(host, packages)) if not there
        ]
        if lacking:
            Package.fix_together(host, lacking)
        venv = dataclasses.replace(
            self.venv,
            requirements=f"{self.release}/{recipe['requirements']}",
            folder=f"{self.release}/{recipe['folder']}",
            digest=recipe["digest"],
        )
        if recipe["installer"] == "uv":
            (there,) = Venv.look(host, [self.uv])
            if gap_between(self.uv, there):
                self.uv.vet(host)
                self.uv.fix(host, there)
            venv = dataclasses.replace(venv, uv=f"{self.uv.path}/bin/uv")
        venv.vet(host)
        venv.fix(host, None)

    def _recipe(self, host: Host) -> Dict[str, Any]:
        text = host.read(f"{self.release}/{RECIPE}")
        if text is None:
            host.refuse(
                f"{self.release} has no {RECIPE}, which says what to install: deploy it anew"
            )
        recipe: Dict[str, Any] = json.loads(text)
        return recipe
