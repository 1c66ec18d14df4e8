"""Whether a node does its work, and whether it is sent visitors."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Dict, List, Sequence, Tuple

from nodriza.resources.base import Resource, State

if TYPE_CHECKING:
    from nodriza.host.host import Host


@dataclass(frozen=True)
class Health(Resource):
    """A node that serves, and is well after whatever changed on it.

    ``url`` is asked on the node itself, with ``name`` as the Host, past ``AWAY``: 200 is
    well, 404 is "there is nothing to serve yet". A run takes a node that is well out of
    rotation before it changes anything, waits ``pause`` seconds for load balancers to
    see it, and puts it back when it is well again (``nodriza.agent.rolling``). Well is also that
    each path of ``also`` has the status that stands beside it, from 0 for anything but an
    error. ``patience``: seconds until then; meanwhile visitors may meet the node.
    """

    url: str
    name: str = ""
    pause: int = 0
    also: Tuple[Tuple[str, int], ...] = ()
    patience: int = 60

    AWAY: ClassVar[str] = "/var/lib/nodriza-away"
    """While a file is in it, load balancers are told to send nobody: ``run`` while the node
    changes, ``operator`` until somebody lifts it."""
    CLOSED: ClassVar[str] = "/var/lib/nodriza-maintenance"
    """While ``on`` is in it visitors get a page of maintenance; ``allow-ADDRESS`` lets one in."""
    FOLLOWS_ALL: ClassVar[bool] = True
    UNDOES: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "also", tuple(tuple(page) for page in self.also))

    def wanted(self) -> State:
        """No run has left it out of rotation."""
        return {"back": True}

    @classmethod
    def look(cls, host: Host, many: Sequence[Health]) -> List[State]:
        """Only the mark: a node that nobody changes is not asked how it is."""
        away = host.stat(f"{cls.AWAY}/run") is not None
        return [{"back": not away} for _ in many]

    def fix(self, host: Host, now: State) -> None:
        """Wait until it is well, then put it back."""
        until = time.monotonic() + self.patience
        while True:
            status, words = self.ask(host)
            if status == 404 and not self.is_away(host):
                break  # there is nothing to serve yet
            wrong = self._wrong_path(host) if status == 200 else f"{status or 'no answer'} {words}"
            if not wrong:
                break
            if time.monotonic() > until:
                host.refuse(f"not well after {self.patience} s: {wrong}")
            time.sleep(0.5)
        self.come_back(host)

    def _wrong_path(self, host: Host) -> str:
        """The first path that does not answer as expected, in words; empty when all do."""
        place = "/".join(self.url.split("/", 3)[:3])
        for path, expected in self.also:
            status, words = self.ask(host, place + path)
            if status != expected if expected else not 100 <= status < 500 or status == 400:
                wanted = f" in the place of {expected}" if expected else ""
                return f"{path} answers {status or 'nothing'}{wanted} {words}"
        return ""

    def is_away(self, host: Host) -> bool:
        """Whether a run found it well, and has not put it back."""
        return host.stat(f"{self.AWAY}/run") is not None

    def leave(self, host: Host, why: Dict[str, Any]) -> None:
        """Out of rotation; ``why`` is for whoever finds the mark."""
        host.mkdirs(self.AWAY)
        host.write(f"{self.AWAY}/run", json.dumps(why) + "\n")
        time.sleep(self.pause)

    def come_back(self, host: Host) -> None:
        """In rotation again, unless an operator has taken it out."""
        host.remove(f"{self.AWAY}/run")

    def ask(self, host: Host, url: str = "") -> Tuple[int, str]:
        """Status and words of the node's health, or of another ``url`` on it; 0: no answer."""
        # Half of what the agent takes to start; wanted only by a node that changes.
        import http.client  # noqa: PLC0415
        import ssl  # noqa: PLC0415

        scheme, _, rest = (url or self.url).partition("://")
        place, slash, path = rest.partition("/")
        line = http.client.HTTPConnection(place, timeout=15)
        if scheme == "https":
            # The name in the certificate is the site's, and this never leaves the node.
            context = ssl._create_unverified_context()  # noqa: S323
            line = http.client.HTTPSConnection(place, timeout=15, context=context)
        try:
            line.request("GET", slash + path, headers={"Host": self.name or place})
            answer = line.getresponse()
            return answer.status, answer.read(500).decode("utf-8", "replace").strip()
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error)
        finally:
            line.close()
