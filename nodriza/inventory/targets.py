"""The words behind ``provision:``: which nodes does a person mean?"""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from nodriza.errors import TargetError
from nodriza.inventory import ranges
from nodriza.inventory.kinds import WORDS
from nodriza.inventory.model import Cluster, Node
from nodriza.inventory.services import SERVICES

GROUPS = ("all", *WORDS, *SERVICES)
"""Words that mean several nodes; no node may have such a name."""

_SHOWN = 12


def resolve_target(cluster: Cluster, target: str) -> tuple[Node, ...]:
    """The nodes that ``target`` names, each once, in the order of the inventory.

    Words are separated by commas: names, ranges of names (``server-[2:5]``), kinds
    in singular or plural, ``server-n`` (every child), services, ``all``. Nothing means all.
    Raises ``TargetError`` for a word that names no node.
    """
    words = [word.strip() for word in target.split(",")] if target.strip() else ["all"]
    chosen = {name for word in words for name in _names(cluster, word)}
    return tuple(node for node in cluster.nodes if node.name in chosen)


def _names(cluster: Cluster, word: str) -> Iterator[str]:
    if word == "all":
        yield from (node.name for node in cluster.nodes)
    elif word in WORDS:
        nodes = [node.name for node in cluster.nodes if node.kind in WORDS[word]]
        if not nodes:
            kinds = " or ".join(WORDS[word])
            raise TargetError(
                f'no node of the cluster "{cluster.name}" is a {kinds}',
                where=f'target "{word}"',
                kept="no host was touched",
                do=_existing(cluster),
            )
        yield from nodes
    elif word in SERVICES:
        nodes = [node.name for node in cluster.nodes_doing(word)]
        if not nodes:
            raise _refusal(cluster, word, f'no node of the cluster "{cluster.name}" does that')
        yield from nodes
    else:
        yield from _named(cluster, word)


def _named(cluster: Cluster, word: str) -> list[str]:
    try:
        names = ranges.expand(word)
    except ranges.RangeMistake as mistake:
        raise _refusal(cluster, word, str(mistake)) from None
    existing = {node.name for node in cluster.nodes}
    missing = [name for name in names if name not in existing]
    if missing and names == [word]:
        raise _refusal(
            cluster, word, "there is no such node, kind of node or service" + _near(cluster, word)
        )
    if missing:
        shown = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        raise _refusal(cluster, word, f"{len(missing)} of {len(names)} do not exist: {shown}")
    return names


def _refusal(cluster: Cluster, word: str, what: str) -> TargetError:
    shown = word if len(word) <= 60 else word[:60] + "…"
    return TargetError(
        what if word else "there is nothing between two commas",
        where=f'target "{shown}"',
        kept="no host was touched",
        do=_existing(cluster),
    )


def _near(cluster: Cluster, word: str) -> str:
    words = [*(node.name for node in cluster.nodes), *GROUPS]
    if word.lower() in words:
        return f", did you mean {word.lower()}?"
    near = difflib.get_close_matches(word.lower()[:64], words, n=3, cutoff=0.6)
    return f", did you mean {' or '.join(near)}?" if near else ""


def _existing(cluster: Cluster) -> str:
    kinds = {node.kind for node in cluster.nodes}
    groups = [word for word, its in WORDS.items() if not kinds.isdisjoint(its)]
    words = ["all", *groups, *cluster.services]
    names = [node.name for node in cluster.nodes]
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"choose from {', '.join(words)}; {', '.join(names[:_SHOWN])}{rest}"
