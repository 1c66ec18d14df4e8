"""A service and the files it reads, changed as one.

Before a file changes, the services that read it owe a reload or restart, and the old
file is kept. When the service's turn comes its own checker speaks, then it reads the
new files. On a no, at either point, the old files return and the service runs as before.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Iterable, List, Optional, Sequence, Set, Tuple

from nodriza.agent.journal import Journal
from nodriza.host.errors import HostError
from nodriza.host.host import Host
from nodriza.resources.base import Gap, Resource, State
from nodriza.resources.service import Service

KEPT = ("file", "link", "absent", "zone")
"""Kinds whose old content can be put back."""
FIELDS = {"restart_on": "restart", "reload_on": "reload", "on_change": "run"}
"""Fields that name what a resource follows, and the action that a change makes due."""


class Rejected(HostError):
    """The new files did not work; ``restored`` are the paths that went back."""

    def __init__(self, words: str, restored: List[str]) -> None:
        super().__init__(words)
        self.restored = restored


class Followers:
    """What follows a change of what, over one plan.

    A service follows by ``reload_on`` and ``restart_on``, any other noun by
    ``on_change`` or ``FOLLOWS_ALL`` (its ``fix`` is then due).
    """

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._of: Dict[str, List[Tuple[Resource, str]]] = {}
        self._of_all: List[Tuple[Resource, str]] = []
        self._ahead: Set[str] = set()
        for resource in resources:
            if resource.ahead:
                self._ahead.add(resource.id)
            if resource.FOLLOWS_ALL:
                self._of_all.append((resource, "run"))
            for field, action in FIELDS.items():
                for trigger in getattr(resource, field, ()):
                    self._of.setdefault(trigger, []).append((resource, action))

    def owe(self, journal: Journal, resource: Resource, since: str) -> None:
        """Write down what a change of ``resource`` makes due, and what it replaces.

        Before the change.
        """
        kind = resource.id.split(":", 1)[0]
        if kind in KEPT:
            journal.keep(resource.subject)
        else:
            journal.begin()
        of_all = () if resource.ahead else self._of_all
        for follower, action in [*self._of.get(resource.id, ()), *of_all]:
            undo = kind in KEPT and follower.UNDOES
            journal.owe(follower.id, action, resource.subject if undo else None, since)

    def due(self, changed: Set[str], follower: Resource) -> Optional[str]:
        """What changes of ``changed`` would make due; the strongest action."""
        if changed - self._ahead and follower.FOLLOWS_ALL:
            return "run"
        for field, action in FIELDS.items():
            if changed.intersection(getattr(follower, field, ())):
                return action
        return None


def following(plan: Sequence[Resource], left: Dict[str, Dict[str, Any]]) -> List[Resource]:
    """The plan, in which what once read resources that it does not have follows them again.

    ``left``: their ids, each with its ``followers`` (``nodriza.agent.memory``).
    """
    more: Dict[str, Dict[str, Tuple[str, ...]]] = {}
    for id, entry in left.items():
        for follower, field in entry["followers"].items():
            fields = more.setdefault(follower, {})
            fields[field] = (*fields.get(field, ()), id)
    return [
        dataclasses.replace(
            each,
            **{
                field: (*getattr(each, field), *ids)
                for field, ids in more.get(each.id, {}).items()
                if hasattr(each, field)
            },
        )
        for each in plan
    ]


def unless_started(due: Optional[str], now: State, gap: Gap) -> Optional[str]:
    """What is due, unless closing the gap does it: a start reads everything."""
    starts = "running" in gap and not (now and now.get("began"))
    return None if starts or "exists" in gap else due


def settle(host: Host, journal: Journal, service: Service, now: State, gap: Gap) -> Optional[str]:
    """Bring a service to what is wanted and let it read what changed.

    Returns what was done beyond the gap ("reload", "restart") or ``None``. Raises
    ``Rejected`` after everything went back.
    """
    debt = journal.owed(service.id)
    asked = False
    journal.begin()
    try:
        if service.running and (debt or gap):
            _ask_checker(host, service)
        asked = True
        action = _act(host, service, debt, now, gap)
    except HostError as error:
        restored = journal.restore(service.id)
        if debt and restored and _has_read(host, journal, service, debt, now, asked=asked):
            _run_as_before(host, service, debt, error, restored)
        journal.settle(service.id)
        raise Rejected(str(error), restored) from error
    journal.settle(service.id)
    return action


def _ask_checker(host: Host, service: Service) -> None:
    if service.check:
        host.run(service.check)


def _act(
    host: Host,
    service: Service,
    debt: Optional[Dict[str, Any]],
    now: State,
    gap: Gap,
) -> Optional[str]:
    """A start reads the new files as well, but not one that was at work already.

    ``now`` was looked at after the last file had changed.
    """
    owed = debt if now and now.get("began") and service.running else None
    if gap:
        service.fix(host, {**(now or {}), "running": True} if owed else now)
    if owed:
        service.act(host, owed["action"])
        return str(owed["action"])
    return None


def _has_read(
    host: Host,
    journal: Journal,
    service: Service,
    debt: Dict[str, Any],
    now: State,
    *,
    asked: bool,
) -> bool:
    """Whether what runs, or did before this run, may have read the files that went back.

    We ``asked`` it to, or a run that was cut short did, or somebody else has started it
    since the first of them was written.
    """
    began = bool(now and now.get("began"))
    ours = asked or debt["run"] != journal.run
    return (began and ours) or service.began_since(host, debt["monotonic"])


def _run_as_before(
    host: Host, service: Service, debt: Dict[str, Any], first: HostError, restored: List[str]
) -> None:
    """Let a service that has read the new files read the old ones again.

    Not into a configuration that its checker refuses: what runs is better than nothing,
    and what is due stays due.
    """
    try:
        _ask_checker(host, service)
        service.act(host, debt["action"])
    except HostError as second:
        words = f"{first}\nand with the old files back: {second}"
        raise Rejected(words, restored) from second
