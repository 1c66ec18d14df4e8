"""Whether a node does its work, and whether it is sent visitors."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Dict, List, Sequence, Tuple

from nodriza.resources.base import Resource, State

if TYPE_CHECKING:
    from nodriza.agent.host import Host

PATIENCE = 60  # seconds that a changed node has until it is well; meanwhile visitors may meet it


@dataclass(frozen=True)
class Health(Resource):
    """A node that serves, and is well after whatever changed on it.

    ``url`` is asked on the node itself, with ``name`` as the Host, past ``AWAY``: 200 is
    well, 404 is "there is nothing to serve yet". A run takes a node that is well out of
    rotation before it changes anything, waits ``pause`` seconds for load balancers to
    see it, and puts it back when it is well again (``nodriza.agent.gate``).
    """

    url: str
    name: str = ""
    pause: int = 0

    AWAY: ClassVar[str] = "/var/lib/nodriza-away"
    """While a file is in it, load balancers are told to send nobody: ``run`` while the node
    changes, ``operator`` until somebody lifts it."""
    FOLLOWS_ALL: ClassVar[bool] = True
    UNDOES: ClassVar[bool] = True

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
        until = time.monotonic() + PATIENCE
        while True:
            status, words = self.ask(host)
            if status == 200 or (status == 404 and not self.is_away(host)):
                break
            if time.monotonic() > until:
                host.refuse(f"not well after {PATIENCE} s: {status or 'no answer'} {words}")
            time.sleep(0.5)
        self.come_back(host)

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

    def ask(self, host: Host) -> Tuple[int, str]:
        """Status and words; status 0 when nobody answers."""
        # Half of what the agent takes to start; wanted only by a node that changes.
        import http.client  # noqa: PLC0415
        import ssl  # noqa: PLC0415

        scheme, _, rest = self.url.partition("://")
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
