"""What every noun has in common.

A resource is one desired fact about a host. It answers three questions:

``wanted()``
    the state it asks for: a flat dict, or ``None`` for "shall not exist";
``look(host, many)``
    the state that is there, for *all* resources of its kind at once, in order;
``fix(host, now)``
    closes the gap between the two.

Check, diff, drift and apply are readers of the same gap, so they can't disagree.
The controller fills in the fields, the agent calls the three methods; this file
travels to the host and imports nothing but the standard library (Python 3.9+).
"""

from __future__ import annotations

import abc
import base64
import dataclasses
import functools
import sys
from typing import TYPE_CHECKING, Any, ClassVar, Dict, List, Optional, Sequence, Tuple, Union

if TYPE_CHECKING:
    from nodriza.agent.left import Left
    from nodriza.host.host import Host

Value = Union[str, int, bool, None]
State = Optional[Dict[str, Value]]
Gap = Dict[str, Tuple[Value, Value]]
"""Attribute to (what is there, what is wanted)."""
CHANGED = "somebody else has changed it"


@dataclasses.dataclass(frozen=True)
class Resource(abc.ABC):
    """One desired fact about a host.

    Subclasses are frozen dataclasses whose first field is the subject (a path, a
    unit, a package), so that ``id`` is "noun:subject".
    """

    HIDDEN: ClassVar[Tuple[str, ...]] = ()
    """Attributes whose values are never shown, only that they differ."""
    ALONE: ClassVar[bool] = False
    """Looked at one at a time, each after the fix of the one before."""
    FOLLOWS_ALL: ClassVar[bool] = False
    """Due after a change of anything else in the plan."""
    FROM_ANOTHER: ClassVar[bool] = False
    """Another node has to be there for it."""
    UNDOES: ClassVar[bool] = False
    """Files that it follows are kept, to be put back when it does not like the new ones."""
    STAYS: ClassVar[str] = ""
    """Why it is never taken away once no plan has it any more, in words that are told once."""

    @property
    def ahead(self) -> bool:
        """Nobody whom the node serves can notice its fix: it waits for no turn, and asks for no
        look at how the node is after it.
        """
        return False

    @property
    def owes(self) -> bool:
        """Whether what is due by its id is for it to do."""
        return True

    @property
    def subject(self) -> str:
        """What this resource is about: the value of its first field."""
        return str(getattr(self, _first_field(type(self))))

    @property
    def id(self) -> str:
        """Unique in a plan, and what ``reload_on`` and its like refer to."""
        return f"{type(self).__name__.lower()}:{self.subject}"

    @abc.abstractmethod
    def wanted(self) -> State:
        """The state this resource asks for; ``None``: it shall not exist."""

    @classmethod
    @abc.abstractmethod
    def look(cls, host: Host, many: Sequence[Any]) -> List[State]:
        """The state of each of ``many`` on the host, in the same order."""

    def vet(self, host: Host) -> None:  # noqa: B027  most nouns do no harm
        """Raise ``HostError`` where ``fix`` would do harm: nothing was touched, nothing is due."""

    def foretell(self, host: Host) -> None:
        """In a check, in the place of ``fix``: raise ``HostError`` where a run would refuse.

        What a check can't know it says by ``host.warn``. Nothing is changed.
        """
        self.vet(host)

    @abc.abstractmethod
    def fix(self, host: Host, now: State) -> None:
        """Close the gap; ``now`` is what ``look`` saw. Raises ``HostError``."""

    @classmethod
    def strays(cls, host: Host, many: Sequence[Any]) -> List[str]:
        """What is there of this kind and should not be, ``many`` being all that should.

        In words, for ``fab drift``; nobody takes it away.
        """
        return []

    def mark(self) -> Optional[str]:
        """By what it is known again once no plan has it any more; ``None``: it is not remembered.

        It is written down on the host, so there is no secret in it.
        """
        return "" if self.STAYS else None

    def makes(self, now: State) -> bool:
        """Whether ``fix`` makes it, so that it may be taken away one day; ``now`` as in ``fix``.

        What somebody else had made, and a plan has only changed, is theirs.
        """
        return now is None

    @classmethod
    def remains(cls, host: Host, left: Left) -> Optional[str]:
        """What there is of what a plan had made: ``None``: nothing; "": it can go; else why it
        stays.
        """
        return cls.STAYS

    @classmethod  # noqa: B027  most of it stays
    def take_away(cls, host: Host, left: Left) -> None:
        """Undo what ``fix`` had made, where ``remains`` says that it can go."""

    def diff(self, host: Host, now: State) -> str:
        """More than the gap's attributes can say: a unified diff, or nothing."""
        return ""


class Watched(Resource):
    """What no provision brings about by itself: it is never a gap, and has only ``strays``."""

    def wanted(self) -> State:
        """Nothing."""
        return {}

    @classmethod
    def look(cls, host: Host, many: Sequence[Any]) -> List[State]:
        """Nothing."""
        return [{} for _ in many]

    def fix(self, host: Host, now: State) -> None:
        """Nothing."""


@functools.lru_cache(maxsize=None)
def _first_field(cls: type) -> str:
    return dataclasses.fields(cls)[0].name


def gap_between(resource: Resource, now: State) -> Gap:
    """What has to change: empty when the host is as wanted.

    Attributes that are there but not asked for are not compared.
    """
    wanted = resource.wanted()
    if wanted is None:
        return {} if now is None else {"exists": (True, False)}
    if now is None:
        return {"exists": (False, True)}
    return {key: (now.get(key), value) for key, value in wanted.items() if now.get(key) != value}


def ids(resources: Sequence[Any]) -> Tuple[str, ...]:
    """The ids of resources given as resources or as ids already."""
    return tuple(item if isinstance(item, str) else item.id for item in resources)


def to_data(resource: Resource) -> Dict[str, Any]:
    """A resource as JSON-ready data, and so one that it has in it; bytes become
    ``{"base64": …}``.
    """
    data: Dict[str, Any] = {"kind": type(resource).__name__}
    for field in dataclasses.fields(resource):
        value = getattr(resource, field.name)
        if isinstance(value, bytes):
            value = {"base64": base64.b64encode(value).decode("ascii")}
        elif isinstance(value, Resource):
            value = to_data(value)
        data[field.name] = value
    return data


def from_data(data: Dict[str, Any]) -> Resource:
    """The resource that ``to_data`` described; other keys are left alone."""
    cls = getattr(sys.modules[__package__], data["kind"])
    names = {field.name for field in dataclasses.fields(cls)}
    values: Dict[str, Any] = {}
    for name in names & set(data):
        value = data[name]
        if isinstance(value, dict) and set(value) == {"base64"}:
            value = base64.b64decode(value["base64"])
        elif isinstance(value, dict):
            value = from_data(value)
        elif isinstance(value, list):
            value = tuple(value)
        values[name] = value
    resource: Resource = cls(**values)
    return resource
