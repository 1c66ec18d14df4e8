"""Where an inventory says something: file and line, for messages that come after it was read."""

from __future__ import annotations

import functools
from pathlib import Path

from nodriza.inventory import ranges
from nodriza.inventory.load import short_path
from nodriza.inventory.model import Cluster, Node
from nodriza.inventory.yaml.positions import Document, read_marked


def place(path: Path, *keys: str) -> str:
    """``inventories/shop.yml:12`` of the key that ``keys`` lead to, or of what is around it."""
    document = _document(path.read_text(encoding="utf-8-sig"))
    return f"{short_path(path)}:{document.mark(keys, key=True).line}"


def place_of_node(cluster: Cluster, node: Node, *keys: str) -> str:
    """Where the nearest level says ``keys`` to a node: itself, its kind, or the cluster."""
    document = _document(cluster.path.read_text(encoding="utf-8-sig"))
    written = next(
        (each for each in document.data["nodes"] if node.name in ranges.expand(each)), node.name
    )
    levels: tuple[tuple[str, ...], ...] = (("nodes", written), ("kinds", node.kind), ())
    found = next((level for level in levels if (*level, *keys) in document.keys), levels[0])
    return place(cluster.path, *found, *keys)


@functools.lru_cache(maxsize=1)
def _document(text: str) -> Document:
    return read_marked(text)
