"""An application that is asked whether it works, before anybody is sent to it."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, List, Optional, Sequence, Tuple

from nodriza.host import inside, transient
from nodriza.host.env_file import parse_environment
from nodriza.host.errors import Result
from nodriza.resources.base import Resource, State

if TYPE_CHECKING:
    from nodriza.host.host import Host

PATIENCE = 300
"""Seconds for the import and all answers."""
OLD_ONES = "The old ones go on serving. If these go with other code: fab deploy brings both"
SCRIPT = """
import asyncio, importlib, json, os, sys, traceback
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


def ask_asgi(application, path):
    path, _, query = path.partition("?")
    host, secure = about["host"].encode(), about["scheme"] == "https"
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
        "method": "GET", "scheme": about["scheme"], "path": path, "raw_path": path.encode(),
        "query_string": query.encode(), "root_path": "", "client": ("127.0.0.1", 0),
        "headers": [(b"host", host), (b"x-forwarded-proto", about["scheme"].encode())],
        "server": (about["host"], 443 if secure else 80),
    }
    asked, said = [{"type": "http.request", "body": b"", "more_body": False}], []

    async def receive():
        return asked.pop() if asked else await asyncio.Event().wait()

    async def send(message):
        said.append(message)

    asyncio.run(application(scope, receive, send))
    status = next((str(each["status"]) for each in said if "status" in each), "no answer")
    return status, b"".join(each.get("body", b"") for each in said)


def is_well():
    module, _, name = (about["asgi"] or about["wsgi"]).partition(":")
    application = getattr(importlib.import_module(module), name or "application")
    settings = getattr(sys.modules.get("django.conf"), "settings", None)
    if getattr(settings, "configured", False) and settings.DEBUG and not about["debug"]:
        print(DEBUG, file=sys.stderr)
        return False
    for path, expected in about["asked"]:
        status, text = (ask_asgi if about["asgi"] else ask)(application, path)
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
    ``wsgi`` module, or that of ``asgi`` ("shop.asgi:application"), is imported as on a child, and
    ``asked``: a path each, with the status that
    is expected, or 0 for anything that is no error. ``host`` and ``scheme`` are the site's. Its
    variables are those of ``environment``, which ``env_file`` is to hold next, or else of
    ``env_file``: they are tried with it, so ``DEBUG`` is looked at here too, which ``debug``
    allows. It runs in the transient unit ``unit`` (``nodriza.host.transient``), and ends
    with all that it started.

    Where ``path`` is ``current`` itself it is what serves that is tried, once a run, and only with
    other variables than it has. That waits for the node's turn: the central node may change first
    what they are about. ``places`` says where a variable is written, (name, place). Where nothing
    works with the old ones either, there is nothing to keep, and the new ones may come.
    """

    path: str
    current: str
    wsgi: str
    host: str
    scheme: str = "http"
    asked: Tuple[Tuple[str, int], ...] = (("/healthz", 0),)
    debug: bool = False
    asgi: str = ""
    user: Optional[str] = None
    env_file: str = ""
    environment: str = ""
    places: Tuple[Tuple[str, str], ...] = ()
    unit: str = ""
    writable: Tuple[str, ...] = ()
    hidden: Tuple[str, ...] = ()

    ALONE: ClassVar[bool] = True  # the release has to be there

    def __post_init__(self) -> None:
        object.__setattr__(self, "asked", tuple(tuple(page) for page in self.asked))
        object.__setattr__(self, "places", tuple(tuple(place) for place in self.places))

    @property
    def ahead(self) -> bool:
        """Nobody runs it yet."""
        return self.path != self.current

    def wanted(self) -> State:
        """It does."""
        return {"answers": True}

    @classmethod
    def look(cls, host: Host, many: Sequence[Trial]) -> List[State]:
        """Asks, unless it serves already, with the variables that it is to have."""
        return [one._look(host) for one in many]

    def _look(self, host: Host) -> State:
        if self.path == self.current:
            asked = self._has_others(host) and host.stat(self._release(host)) is not None
            return {"answers": not asked or self.id in host.tried}
        if host.readlink(self.current) == self.path and not self._has_others(host):
            return {"answers": True}
        if host.stat(self.path) is None:
            return {"answers": False}
        return {"answers": self._ask(host).exit == 0}

    def foretell(self, host: Host) -> None:
        """As ``fix``; a release that is not there yet says nothing."""
        if self.path == self.current:
            if words := self._wrong(host):
                host.warn(f"as things are on the cluster now, {_in_short(words)}")
        elif host.stat(self.path) is not None:
            self.fix(host, None)

    def fix(self, host: Host, now: State) -> None:
        """Nothing can be mended here; it is asked once more, for its words."""
        words = self._wrong(host)
        if words and self.path == self.current:
            before = dataclasses.replace(self, environment="")
            if not before._wrong(host):
                host.refuse(f"{words}\n{OLD_ONES}")
            host.warn(
                f"what serves does not work with the variables that it has, and {_in_short(words)}"
            )
        elif words:
            host.refuse(words)
        host.tried.add(self.id)

    def _wrong(self, host: Host) -> str:
        """How the application fails, and which variables are others; nothing where it does not."""
        done = self._ask(host)
        if not done.exit:
            return ""
        new = (
            f" with what is new in its variables ({'; '.join(found)})"
            if (found := self._others(host))
            else ""
        )
        return f"the release does not work{new}:\n{(done.err or done.out).strip()}"

    def _others(self, host: Host) -> List[str]:
        """Names of variables that are new, changed or gone, and where they are written."""
        if not self._has_others(host):
            return []
        text = (host.read(self.env_file) or b"").decode("utf-8", "replace")
        before, after = parse_environment(text), parse_environment(self.environment)
        names = sorted(name for name, _ in before.items() ^ after.items())
        places = dict(self.places)
        return [f"{n}, {places[n]}" if n in places else n for n in dict.fromkeys(names)]

    def _release(self, host: Host) -> str:
        """The folder that is asked."""
        return (
            (host.readlink(self.current) or self.path) if self.path == self.current else self.path
        )

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
        names = ("wsgi", "asgi", "host", "scheme", "asked", "debug")
        about = {name: getattr(self, name) for name in names}
        return inside.python(
            host, one, self._release(host), ["-c", SCRIPT, json.dumps(about)], timeout=PATIENCE
        )


def _in_short(words: str) -> str:
    """A warning is a line: how it begins, and how the traceback below ends."""
    first, *_, last = words.splitlines()
    return f"{first} {last}"
