"""A release that is asked whether it may serve, before anything else depends on it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Dict, List, Optional, Sequence, Tuple

from nodriza.host import inside, transient, verdict
from nodriza.host.errors import HostError
from nodriza.resources.base import Resource, State

if TYPE_CHECKING:
    from nodriza.host.host import Host

PATIENCE = 600
"""Seconds for the import, all checks and the migrations; none of them changes anything."""
UNKNOWN = (
    "a check makes no release, so it did not look whether this one imports, at manage.py check"
    " --deploy, DEBUG and ALLOWED_HOSTS, at its migrations and what they take away, and at what it"
    " answers. A deploy looks at all of it before anybody serves the release"
)
LOADER = """
import json, sys, types
modules, about = json.loads(sys.argv[1])
for name, text in modules:
    sys.modules[name] = module = types.ModuleType(name)
    exec(compile(text, name, "exec"), vars(module))
module.main(about)
"""


@dataclass(frozen=True)
class Preflight(Resource):
    """The release in ``path`` is imported, and fit to serve beside the one of ``current``.

    ``modules``: name and text of what runs in it (``nodriza/application``), the last one with a
    ``main``. It is refused where Django's own checks have errors, where ``DEBUG`` is on and
    ``debug`` does not allow it, where ``host`` is no allowed one, and where a pending migration
    takes something from the code that serves, unless ``breaking`` says that it may. ``tls``:
    visitors come by HTTPS. The others are as in ``Trial``.

    ``again``: it served before. Then it is only imported, and refused where the database lacks
    what it works with, unless ``breaking`` says that it may.

    It is asked once a run, when it does not serve yet: what it finds is gone with the run. A check
    asks it as well, where it is made already, with the variables of ``environment``, which
    ``env_file`` is to hold next.
    """

    path: str
    current: str
    module: str
    host: str
    modules: Tuple[Tuple[str, str], ...]
    tls: bool = False
    debug: bool = False
    breaking: bool = False
    again: bool = False
    user: Optional[str] = None
    env_file: str = ""
    environment: str = ""
    unit: str = ""
    writable: Tuple[str, ...] = ()
    hidden: Tuple[str, ...] = ()

    ALONE: ClassVar[bool] = True  # the release has to be there

    def __post_init__(self) -> None:
        object.__setattr__(self, "modules", tuple(tuple(pair) for pair in self.modules))

    def wanted(self) -> State:
        """It is."""
        return {"passed": True}

    @classmethod
    def look(cls, host: Host, many: Sequence[Preflight]) -> List[State]:
        """Asks nobody: it serves, or was found fit in this run."""
        return [
            {"passed": host.readlink(one.current) == one.path or one.path in host.preflights}
            for one in many
        ]

    def foretell(self, host: Host) -> None:
        """Ask it, if there is something to ask; its migrations are not run."""
        if host.stat(f"{self.path}/static") is None:  # which is made last of all
            host.warn(UNKNOWN)
            return
        with contextlib.ExitStack() as until:
            env_file = self.env_file
            if self.environment:
                kept = transient.variables(host, "preflight", self.environment)
                env_file = until.enter_context(kept)
            # A deploy may be asking meanwhile, and would lose its unit to one of the same name.
            unit = self.unit and f"{self.unit}-{os.getpid()}"
            dataclasses.replace(self, unit=unit, env_file=env_file).fix(host, None)

    def fix(self, host: Host, now: State) -> None:
        """Ask it; tell what is not right, and refuse it for what is wrong."""
        if self.again:
            self._go_back(host)
            return
        answer = verdict.answered(self._ask(host, self.path, "all"))
        for words in verdict.warnings(answer, debug=self.debug, tls=self.tls):
            host.warn(words)
        found = verdict.refusals(answer, debug=self.debug, host=self.host)
        if harm := self._harm(host, answer):
            if self.breaking:
                host.warn(f"as --breaking allows: {' '.join(harm.split())}")
            else:
                found.append(harm)
        if found:
            host.refuse("\n".join(found))
        host.preflights[self.path] = {
            "number": answer.number,
            "first": answer.first,
            "pending": answer.pending,
        }

    def _go_back(self, host: Host) -> None:
        found = verdict.unfit(self._ask(host, self.path, "again"))
        words = verdict.stuck(found, os.path.basename(self.path))
        if found and not self.breaking:
            host.refuse(words)
        if found:
            host.warn(f"as --breaking allows: {' '.join(words.split())}")
        host.preflights[self.path] = {"number": 0, "first": False, "pending": []}

    def _harm(self, host: Host, answer: verdict.Answer) -> str:
        """What the release that serves loses: it is asked only where something could."""
        serves = host.readlink(self.current)
        if not answer.breaks or serves is None:
            return ""
        known: Optional[Dict[str, List[str]]]
        try:
            known = verdict.tables(self._ask(host, serves, "tables"))
        except HostError:
            known = {} if host.stat(serves) is None else None
        hit = verdict.hit(answer.breaks, known)
        if not hit and not answer.more:
            return ""
        return verdict.harm(hit, answer.more, os.path.basename(serves.rstrip("/")))

    def _ask(self, host: Host, release: str, ask: str) -> str:
        about = {"module": self.module, "host": self.host, "ask": ask}
        words = json.dumps([self.modules, about])
        done = inside.python(host, self, release, ["-c", LOADER, words], timeout=PATIENCE)
        if done.exit:
            host.refuse(f"the release does not work:\n{(done.err or done.out).strip()}")
        return done.out
