"""An application that is asked whether it works, before anybody is sent to it."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, List, Optional, Sequence, Tuple

from nodriza.agent import inside, transient
from nodriza.agent.host import Result
from nodriza.resources.base import Resource, State

if TYPE_CHECKING:
    from nodriza.agent.host import Host

PATIENCE = 300
"""Seconds for the import and all answers."""
SCRIPT = """
import importlib, json, os, sys, traceback
from wsgiref.util import setup_testing_defaults

about = json.loads(sys.argv[1])
DEBUG = '''DEBUG is True with the variables that this node is to have (app.environment)
at each error visitors would see source and settings
  if it shall be so: app: {debug: true} in the inventory'''


def ask(application, path):
    path, _, query = path.partition("?")
    said = []
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": query,
        "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": about["host"], "SERVER_NAME": about["host"],
        "wsgi.url_scheme": about["scheme"], "HTTP_X_FORWARDED_PROTO": about["scheme"],
        "SERVER_PORT": "443" if about["scheme"] == "https" else "80",
    }
    setup_testing_defaults(environ)
    body = application(environ, lambda status, *rest: said.append(status))
    text = b"".join(body)
    if hasattr(body, "close"):
        body.close()
    return (said or ["no answer"])[-1], text


def is_well():
    application = importlib.import_module(about["wsgi"]).application
    settings = getattr(sys.modules.get("django.conf"), "settings", None)
    if getattr(settings, "configured", False) and settings.DEBUG and not about["debug"]:
        print(DEBUG, file=sys.stderr)
        return False
    for path, expected in about["asked"]:
        status, text = ask(application, path)
        number = status[:3]
        if number != str(expected) if expected else number == "400" or number[:1] not in "1234":
            wanted = f", and {expected} is expected" if expected else ""
            print(f"{path} answers {status}{wanted}", file=sys.stderr)
            if not text.lstrip().startswith(b"<"):  # a page is for browsers
                print(text[:500].decode("utf-8", "replace"), file=sys.stderr)
            return False
    return True


try:
    well = is_well()
except BaseException:
    traceback.print_exc()
    well = False
sys.stderr.flush()
os._exit(0 if well else 1)  # threads of the application may never end
"""


@dataclass(frozen=True)
class Trial(Resource):
    """The release ``path`` answers, in a process of its own that no visitor reaches.

    Once it is the one that ``current`` links to it serves, and ``Health`` asks it. Before, its
    ``wsgi`` module is imported as on a child, and ``asked``: a path each, with the status that
    is expected, or 0 for anything that is no error. ``host`` and ``scheme`` are the site's. Its
    variables are those of ``environment``, which ``env_file`` is to hold next, or else of
    ``env_file``: they are tried with it, so ``DEBUG`` is looked at here too, which ``debug``
    allows. It runs in the transient unit ``unit`` (``nodriza.agent.transient``), and ends
    with all that it started.
    """

    path: str
    current: str
    wsgi: str
    host: str
    scheme: str = "http"
    asked: Tuple[Tuple[str, int], ...] = (("/healthz", 0),)
    debug: bool = False
    user: Optional[str] = None
    env_file: str = ""
    environment: str = ""
    unit: str = ""
    writable: Tuple[str, ...] = ()
    hidden: Tuple[str, ...] = ()

    ALONE: ClassVar[bool] = True  # the release has to be there

    def __post_init__(self) -> None:
        object.__setattr__(self, "asked", tuple(tuple(page) for page in self.asked))

    @property
    def ahead(self) -> bool:
        """Nobody runs it yet."""
        return True

    def wanted(self) -> State:
        """It does."""
        return {"answers": True}

    @classmethod
    def look(cls, host: Host, many: Sequence[Trial]) -> List[State]:
        """Asks, unless it serves already, with the variables that it is to have."""
        return [one._look(host) for one in many]

    def _look(self, host: Host) -> State:
        if host.readlink(self.current) == self.path and not self._has_others(host):
            return {"answers": True}
        if host.stat(self.path) is None:
            return {"answers": False}
        return {"answers": self._ask(host).exit == 0}

    def fix(self, host: Host, now: State) -> None:
        """Nothing can be mended here; it is asked once more, for its words."""
        done = self._ask(host)
        if done.exit:
            host.refuse(f"the release does not work:\n{(done.err or done.out).strip()}")

    def _has_others(self, host: Host) -> bool:
        """Whether what is in ``env_file`` is not yet what it is to be."""
        return bool(self.environment) and host.read(self.env_file) != self.environment.encode()

    def _ask(self, host: Host) -> Result:
        # A check may ask while a deploy does, and would end its unit if it had the same.
        unit = self.unit and f"{self.unit}-{os.getpid()}"
        one = dataclasses.replace(self, unit=unit)
        if not self._has_others(host):
            return self._ask_as(host, one)
        # A worker of what serves may begin meanwhile, and keeps the variables that it had.
        with transient.variables(host, "trial", self.environment) as env_file:
            return self._ask_as(host, dataclasses.replace(one, env_file=env_file))

    def _ask_as(self, host: Host, one: Trial) -> Result:
        names = ("wsgi", "host", "scheme", "asked", "debug")
        about = {name: getattr(self, name) for name in names}
        return inside.python(
            host, one, self.path, ["-c", SCRIPT, json.dumps(about)], timeout=PATIENCE
        )
