"""An inventory on its way: each part that could be read, whatever else is wrong."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Sequence
from typing import Any, TypeVar, cast, get_args

from pydantic import ValidationError

from nodriza.inventory import ranges
from nodriza.inventory.base import Section
from nodriza.inventory.model import ClusterSettings
from nodriza.inventory.roles import DEFAULT
from nodriza.inventory.sections.kinds import Kinds, KindSettings
from nodriza.inventory.sections.nodes import NodeSettings
from nodriza.inventory.sections.site import SiteNames
from nodriza.inventory.yaml.positions import Document, Path
from nodriza.inventory.yaml.pydantic_errors import check

S = TypeVar("S", bound=Section)


@dataclasses.dataclass(frozen=True)
class Written:
    """One node; a range has made several of these from one ``key``."""

    key: str
    name: str
    """Empty for the one that stands for all of a range which makes no names."""
    kind: Any
    settings: NodeSettings | None
    """As far as they are right; what is wrong is already reported."""

    @property
    def path(self) -> Path:
        """Where it is in the file."""
        return ("nodes", self.key)

    @property
    def called(self) -> str:
        """What to call it in a sentence about another one."""
        return self.name or self.key

    def named(self, words: str) -> str:
        """``words``, with the node's name where the place in the file does not say it."""
        return words if self.name in ("", self.key) else f"{words} (for {self.name})"


@dataclasses.dataclass(frozen=True)
class Draft:
    """What could be read. ``settings`` is there if all of it could, nodes apart."""

    document: Document
    settings: ClusterSettings | None
    parts: dict[type[Section], Section | None]
    """Each section that is no list, as far as it is right."""
    everywhere: KindSettings | None
    """What the cluster gives to each of its nodes."""
    kinds: dict[str, KindSettings]
    nodes: tuple[Written, ...]
    listed: bool
    """Whether there are nodes at all, or something that was to be them."""
    lab: bool

    def part(self, section: type[S]) -> S | None:
        """A section as far as it is right; ``None`` where it is not there at all.

        Where a key is needed and wrong, the attribute is ``None`` whatever its type says.
        """
        return cast("S | None", self.parts[section])


def read_draft(document: Document) -> Draft:
    """Every part of the document by itself; what is wrong goes to its problems."""
    data = document.data
    if not isinstance(data, dict):
        words = "is empty" if data is None else "must begin with keys, such as cluster: shop"
        document.complain((), f"the inventory {words}")
        document.spoiled.add(())
        data = {}
    top = {**data, "nodes": {}} if "nodes" in data else data
    if "lab" in top and top["lab"] is None:
        top = {**top, "lab": {}}  # the bare word is enough to say that there is one
    nodes = _read_nodes(data["nodes"], document) if "nodes" in data else []
    kinds: Any = top["kinds"] if isinstance(top.get("kinds"), dict) else {}
    return Draft(
        document=document,
        settings=check(ClusterSettings, top, (), document),
        parts={
            SiteNames: _salvaged(SiteNames, {key: top[key] for key in _NAMES if key in top}),
            **{section: _salvaged(section, top.get(key)) for key, section in _SECTIONS.items()},
        },
        everywhere=_salvaged(KindSettings, {key: top.get(key) for key in _EVERYWHERE}),
        kinds={
            name: _salvaged(KindSettings, kinds.get(name)) or KindSettings()
            for name in Kinds.model_fields
        },
        nodes=tuple(nodes),
        listed="nodes" in data,
        lab="lab" in data,
    )


def _salvaged(model: type[S], value: Any) -> S | None:
    """``value`` without what is wrong in it, however deep, so that the rest is still compared."""
    if not isinstance(value, dict):
        return None
    needed = model.STAND_INS
    right = copy.deepcopy(value)
    for _ in range(_ROUNDS):
        try:
            result = model.model_validate({**needed, **right})
        except ValidationError as error:
            for finding in error.errors(include_url=False):
                _leave_out(right, [part for part in finding["loc"] if part != "[key]"])
        else:
            return result.model_copy(update={key: None for key in needed if key not in right})
    return None


def _leave_out(data: Any, place: Sequence[Any]) -> None:
    """Take away what is at ``place``; in a list, so that the others keep theirs, a stand-in."""
    *way, last = place or [None]
    whole = data
    for part in way:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(data, dict):
        data.pop(last, None)
    elif isinstance(data, list) and isinstance(last, int) and last < len(data):
        if data[last] == DEFAULT:  # which is not right there either
            _leave_out(whole, way)
        else:
            data[last] = DEFAULT


_ROUNDS = 5
"""What was hidden by one mistake shows in the next round."""
_NAMES = SiteNames.model_fields.keys()
_EVERYWHERE = ("ssh", "variables", "roles")
_SECTIONS: dict[str, type[Section]] = {
    key: section
    for key, field in ClusterSettings.model_fields.items()
    for section in (field.annotation, *get_args(field.annotation))
    if key != "nodes" and isinstance(section, type) and issubclass(section, Section)
}
"""By their keys."""


def _read_nodes(nodes: Any, document: Document) -> list[Written]:
    if not isinstance(nodes, dict):
        document.complain(("nodes",), "must have the name of each node as a key")
        document.spoiled.add(("nodes",))
        return []
    written: list[Written] = []
    for key, value in nodes.items():
        # Where there are no names one stands for all, to see what else is wrong with it.
        names = _names(key, document) or [""]
        written += _read_node(key, names, value, document)
    return written


def _names(key: str, document: Document) -> list[str]:
    try:
        return ranges.expand(key)
    except ranges.RangeMistake as mistake:
        document.complain(("nodes", key), str(mistake), key=True)
    with contextlib.suppress(ranges.RangeMistake):  # else what is meant can't be known
        return ranges.expand(ranges.forwards(key))
    return []


def _read_node(key: str, names: list[str], value: Any, document: Document) -> list[Written]:
    """Each of the names with its part of every range, as far as the ranges reach."""
    spread = ranges.is_range(key)
    short = _short(key, names, value, document) if spread and names != [""] else []
    nodes = []
    for index, name in enumerate(names):
        data = ranges.instance(value, index) if spread else value
        if beyond := [place for place, size in short if index >= size]:
            data = copy.deepcopy(data)
            for place in beyond:
                _leave_out(data, place)
        settings = check(NodeSettings, data, ("nodes", key), document, beyond)
        settings = settings or _salvaged(NodeSettings, data)
        kind = data.get("kind") if isinstance(data, dict) else None
        nodes.append(Written(key, name, kind, settings))
    return nodes


def _short(
    key: str, names: list[str], value: Any, document: Document
) -> list[tuple[tuple[str | int, ...], int]]:
    """Values whose ranges are not as long as the name's: where, and how far they reach."""
    found = []
    for place, message, size in ranges.mistakes_in(value, len(names)):
        document.complain(("nodes", key, *place), message)
        found.append((place, size))
    return found
