"""An inventory on its way: each part that could be read, whatever else is wrong."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from nodriza.inventory import ranges
from nodriza.inventory.marks import Document, Path
from nodriza.inventory.model import (
    AppSettings,
    ClusterSettings,
    Kinds,
    KindSettings,
    Networks,
    NodeSettings,
    Share,
)
from nodriza.inventory.tls import TlsSettings
from nodriza.inventory.wording import check

M = TypeVar("M", bound=BaseModel)


@dataclasses.dataclass(frozen=True)
class Written:
    """One node; a range has made several of these from one ``key``."""

    key: str
    name: str
    kind: Any
    settings: NodeSettings | None
    """As far as they are right; what is wrong is already reported."""

    @property
    def path(self) -> Path:
        """Where it is in the file."""
        return ("nodes", self.key)

    def named(self, words: str) -> str:
        """``words``, with the node's name where the place in the file does not say it."""
        return words if self.name == self.key else f"{words} (for {self.name})"


@dataclasses.dataclass(frozen=True)
class Draft:
    """What could be read. ``settings`` is there if all of it could, nodes apart."""

    document: Document
    settings: ClusterSettings | None
    networks: Networks | None
    app: AppSettings | None
    tls: TlsSettings | None
    share: Share | None
    everywhere: KindSettings | None
    """What the cluster gives to each of its nodes."""
    kinds: dict[str, KindSettings]
    nodes: tuple[Written, ...]
    whole: bool
    """Whether no node is left out of ``nodes`` because of a mistake in it."""
    lab: bool


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
    nodes, whole = _read_nodes(data["nodes"], document) if "nodes" in data else ([], False)
    kinds: Any = top["kinds"] if isinstance(top.get("kinds"), dict) else {}
    return Draft(
        document=document,
        settings=check(ClusterSettings, top, (), document),
        networks=_salvaged(Networks, top.get("networks")),
        app=_salvaged(AppSettings, top.get("app")),
        tls=_salvaged(TlsSettings, top.get("tls")),
        share=_salvaged(Share, top.get("share")),
        everywhere=_salvaged(KindSettings, {key: top.get(key) for key in _EVERYWHERE}),
        kinds={
            name: _salvaged(KindSettings, kinds.get(name)) or KindSettings()
            for name in Kinds.model_fields
        },
        nodes=tuple(nodes),
        whole=whole,
        lab="lab" in data,
    )


def _salvaged(model: type[M], value: Any) -> M | None:
    """``value`` without its wrong keys, so that the right ones are still compared.

    Where a key is needed and wrong, the attribute is ``None`` whatever its type says.
    """
    if not isinstance(value, dict):
        return None
    try:
        return model.model_validate(value)
    except ValidationError as error:
        wrong = {finding["loc"][0] for finding in error.errors() if finding["loc"]}
    right = {key: item for key, item in value.items() if key not in wrong}
    needed = _STAND_INS.get(model, {})
    try:
        result = model.model_validate({**needed, **right})
    except ValidationError:
        return None
    return result.model_copy(update={key: None for key in needed if key not in right})


_EVERYWHERE = ("ssh", "variables", "roles")
_STAND_INS: dict[type[BaseModel], dict[str, str]] = {
    Networks: {"private": "192.0.2.0/24"},
    NodeSettings: {"kind": "child", "private": "192.0.2.1"},
    AppSettings: {"name": "app", "source": ".", "wsgi": "app", "settings": "app"},
}
"""For keys that a model needs."""


def _read_nodes(nodes: Any, document: Document) -> tuple[list[Written], bool]:
    if not isinstance(nodes, dict):
        document.complain(("nodes",), "must have the name of each node as a key")
        document.spoiled.add(("nodes",))
        return [], False
    written: list[Written] = []
    whole = True
    for key, value in nodes.items():
        names = _names(key, document)
        fits = bool(names) and _ranges_fit(key, names, value, document)
        if fits:
            written += _read_node(key, names, value, document)
        else:  # one stands for all, to see what else is wrong with it
            check(NodeSettings, ranges.instance(value, 0), ("nodes", key), document)
        whole = whole and fits
    return written, whole


def _names(key: str, document: Document) -> list[str]:
    try:
        return ranges.expand(key)
    except ranges.RangeMistake as mistake:
        document.complain(("nodes", key), str(mistake), key=True)
        return []


def _ranges_fit(key: str, names: list[str], value: Any, document: Document) -> bool:
    if not ranges.is_range(key):
        return True
    wrong = list(ranges.mistakes_in(value, len(names), ("nodes", key)))
    for place, message in wrong:
        document.complain(place, message)
        document.spoiled.add(place)
    return not wrong


def _read_node(key: str, names: list[str], value: Any, document: Document) -> list[Written]:
    spread = ranges.is_range(key)
    nodes = []
    for index, name in enumerate(names):
        data = ranges.instance(value, index) if spread else value
        settings = check(NodeSettings, data, ("nodes", key), document)
        settings = settings or _salvaged(NodeSettings, data)
        kind = data.get("kind") if isinstance(data, dict) else None
        nodes.append(Written(key, name, kind, settings))
    return nodes
