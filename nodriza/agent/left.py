"""What an earlier plan made on this host, and the plan of now does not have any more.

It becomes resources of this run, which ask for its going: so it is checked, foretold, kept for
a rollback, and followed by the services that read it as any other change is.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import (
    ClassVar,
    Dict,
    FrozenSet,
    Iterable,
    List,
    Optional,
    Sequence,
    Set,
    Tuple,
    Type,
)

from nodriza import resources as nouns
from nodriza.agent.memory import Entry, Found, Memory
from nodriza.agent.transaction import following
from nodriza.host.errors import HostError
from nodriza.host.host import Host
from nodriza.host.os_errors import told
from nodriza.resources.base import Resource, State
from nodriza.resources.directory import Directory
from nodriza.resources.package import Package
from nodriza.resources.service import Service, full_name

TRIGGERS = (".socket", ".timer", ".path")
"""Units that start others: they end first."""


@dataclass(frozen=True)
class Left(Resource):
    """The work of a ``noun`` of an earlier plan shall go.

    ``beside``: paths that go as well, and units that stay.
    """

    name: str
    noun: str
    marks: Tuple[str, ...]
    beside: FrozenSet[str] = frozenset()

    ALONE: ClassVar[bool] = True  # a folder is empty when its files have gone

    @property
    def ahead(self) -> bool:
        """Nobody notices that an empty folder goes."""
        return self.kind is Directory

    @property
    def owes(self) -> bool:
        """A restart that was due is none any more."""
        return False

    @property
    def id(self) -> str:
        """What it was."""
        return f"{self.noun.lower()}:{self.name}"

    @property
    def kind(self) -> Type[Resource]:
        """The noun."""
        kind: Type[Resource] = getattr(nouns, self.noun)
        return kind

    def wanted(self) -> State:
        """Nothing of it."""
        return {"left": False}

    @classmethod
    def look(cls, host: Host, many: Sequence[Left]) -> List[State]:
        """Whether anything is there that may go."""
        return [{"left": one.kind.remains(host, one) == ""} for one in many]

    def fix(self, host: Host, now: State) -> None:
        """As its noun does it."""
        self.kind.take_away(host, self)


def find(host: Host, memory: Memory, plan: Sequence[Resource]) -> Found:
    """What the memory has, and a whole plan has not."""
    ids = {resource.id for resource in plan}
    gone = memory.gone(plan)
    others = {_place(host, id) for id in memory.of_others()}
    if memory.broken:
        return Found(plan, asked=[*gone])
    planned = {_place(host, id) for id in ids}
    shared = [id for id in gone if _place(host, id) in others]
    beside = {service.full_unit for service in plan if isinstance(service, Service)}
    lefts: List[Left] = []
    kept: Dict[str, str] = {}
    last_first = [*reversed(gone)]
    for id in sorted(last_first, key=_rank):
        left = Left(
            id.partition(":")[2], gone[id]["noun"], tuple(gone[id]["marks"]), frozenset(beside)
        )
        if id in shared or _place(host, id) in planned or _holds(left.name, ids):
            continue
        why = _why_not(host, left, gone[id])
        if why:
            kept[id] = why
        elif why is not None:
            lefts.append(left)
            beside.add(left.name)
    entries = {left.id: gone[left.id] for left in lefts}
    plan = following(plan, entries)
    at = _place_in(plan, {id for entry in entries.values() for id in entry["followers"]})
    # Empty folders go when all is well: files that a service does not like to miss come back.
    folders = [left for left in lefts if left.ahead]
    first = [left for left in lefts if not left.ahead]
    asked = [id for id in shared if gone[id]["made"]]  # only one cluster did
    return Found([*plan[:at], *first, *plan[at:], *folders], entries, kept, asked)


def _why_not(host: Host, left: Left, entry: Entry) -> Optional[str]:
    """As ``Resource.remains``; of what was here before a plan nothing goes."""
    if not entry["made"] and (left.kind.STAYS or left.kind is Directory):
        return None  # nothing of it is ours
    try:
        why = left.kind.remains(host, left)
    except (HostError, OSError) as error:
        return told(error, left.name)
    return why if why is None or entry["made"] else "it was here before"


def _rank(id: str) -> int:
    """Accounts while their server runs; then what starts services, and these; then the rest."""
    kind, _, name = id.partition(":")
    if kind == "service":
        return 1 if name.endswith(TRIGGERS) else 2
    return 0 if kind == "databaseuser" else 3


def _place(host: Host, id: str) -> str:
    """The same for two ids that are about the same thing."""
    kind, _, name = id.partition(":")
    if name.startswith("/"):
        folder, last = os.path.split(os.path.normpath(name))
        return os.path.join(os.path.realpath(host.at(folder)), last)
    return full_name(name) if kind == "service" else id


def _holds(path: str, ids: Iterable[str]) -> bool:
    """Whether something of the plan is below a path."""
    return path.startswith("/") and any(f":{path.rstrip('/')}/" in id for id in ids)


def _place_in(plan: Sequence[Resource], followers: Set[str]) -> int:
    """After the packages, which take long, and before the first that read something of it."""
    after = max((at for at, each in enumerate(plan, 1) if isinstance(each, Package)), default=0)
    return min([after, *(at for at, each in enumerate(plan) if each.id in followers)])
