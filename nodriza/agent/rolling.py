"""A node that serves: it asks for its turn, changes out of rotation, and is well again first.

The mark of its being away is on the node (``nodriza.resources.health``), so that a run
that was cut short is made good by the next one, whoever starts it.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Sequence

from nodriza.agent.journal import Journal
from nodriza.agent.transaction import KEPT, Followers, Rejected
from nodriza.host.errors import HostError
from nodriza.host.host import Host
from nodriza.resources.base import Resource
from nodriza.resources.health import Health
from nodriza.resources.package import Package
from nodriza.resources.service import Service


class Gate:
    """``ask`` waits for the node's turn and says whether it came.

    It is asked once before the first change, until the nodes that this one builds upon are
    done; and by a node that is well and has a ``Health`` once more, whether it may leave.
    """

    def __init__(
        self,
        host: Host,
        journal: Journal,
        resources: Sequence[Resource],
        ask: Callable[[bool], bool],
        emit: Callable[[Dict[str, Any]], None],
    ) -> None:
        self.host = host
        self.journal = journal
        self.resources = resources
        self.followers = Followers(resources)
        self.ask = ask
        self.emit = emit
        self.health: Optional[Health] = next(
            (resource for resource in resources if isinstance(resource, Health)), None
        )
        self.open: Optional[bool] = None

    def serves(self) -> bool:
        """Whether visitors may be sent here, or were until a run took it away."""
        health = self.health
        if health is None:
            return False
        return health.is_away(self.host) or health.ask(self.host)[0] == 200

    def leave(self, since: str) -> bool:
        """Before a change: whether it may be made. Asks, and leaves rotation, once."""
        if self.open is None:
            self.open = self._leave(since)
        return self.open

    def _leave(self, since: str) -> bool:
        if not self.ask(False):
            return False
        health = self.health
        if health is None or not self.serves():
            return True
        away = health.is_away(self.host)
        if not self.ask(True):
            return False
        self.emit({"event": "away"})
        # First what is due: whoever finds the mark also finds that it must be lifted.
        self.journal.owe(health.id, "run", None, since)
        if not away:
            health.leave(self.host, {"run": self.journal.run, "since": since})
        return True

    def pass_through(self, health: Health) -> None:
        """Well again, and back in rotation; else everything is put back as it was.

        Raises ``Rejected``. A node that stays ill stays out of rotation.
        """
        try:
            health.fix(self.host, None)
        except HostError as error:
            # What was ill before the run is left as it is: to be looked at, and mended.
            if not health.is_away(self.host):
                raise
            restored = self.journal.restore(health.id)
            if not restored:
                words = f"{error}\nThere is no file to put back: it stays out of rotation"
                raise Rejected(words, []) from error
            self._put_back(health, error, restored)
        self.journal.settle(health.id)

    def end(self) -> None:
        """At the end of a run that did not get as far as ``pass_through``."""
        health = self.health
        if not (self.open and health and health.is_away(self.host)):
            return
        status, words = health.ask(self.host)
        if status == 200:
            health.come_back(self.host)
        else:
            words = f"out of rotation, because it is not well: {status or 'no answer'} {words}"
            self.emit({"event": "warning", "words": words})

    def _put_back(self, health: Health, first: HostError, restored: List[str]) -> None:
        changed = {f"{kind}:{path}" for kind in KEPT for path in restored}
        try:
            for resource in self.resources:
                action = self.followers.due(changed, resource)
                if isinstance(resource, Service) and resource.running and action:
                    resource.act(self.host, action)
            self.journal.settle(health.id)
            health.fix(self.host, None)
        except HostError as second:
            words = f"{first}\nand with the old files back: {second}\nIt stays out of rotation"
            raise Rejected(words, restored) from second
        raise Rejected(f"{first}\nWith the old files back it is well, and serves", restored)


def without_others(resources: Sequence[Resource], *, is_new: bool) -> Sequence[Resource]:
    """What needs nothing of another node: the packages, and what they need before them.

    On a node that no run has seen, so that nobody can be using it, all that stands before
    the first thing that another node has to give.
    """
    end = max((at for at, each in enumerate(resources, 1) if isinstance(each, Package)), default=0)
    if is_new:
        given = (at for at, each in enumerate(resources) if each.FROM_ANOTHER)
        end = max(end, next(given, 0))
    return resources[:end]
