"""How files change, each change once: nodes of a kind mostly change alike."""

from __future__ import annotations

from collections.abc import Iterator

SHOWN = 6
"""Nodes that are named; of more, their number."""


class Diffs:
    """The diffs of a run, gathered while its events come, and told at its end.

    ``order``: all nodes, in the order in which they are to be named.
    """

    def __init__(self) -> None:
        self.order: list[str] = []
        self._nodes: dict[tuple[str, str], set[str]] = {}  # (id, diff) → nodes

    def add(self, node: str, id: str, diff: str) -> None:
        """One resource of one node; nothing where there is no diff."""
        if diff:
            self._nodes.setdefault((id, diff), set()).add(node)

    def told(self) -> Iterator[tuple[str, list[str]]]:
        """ "server-2, server-3: file:/etc/hosts", and the lines."""
        place = {node: number for number, node in enumerate(self.order)}

        def first(nodes: set[str]) -> list[str]:
            return sorted(nodes, key=lambda node: place.get(node, len(place)))

        groups = [(first(nodes), id, diff) for (id, diff), nodes in self._nodes.items()]
        for nodes, id, diff in sorted(groups, key=lambda group: place.get(group[0][0], 0)):
            yield f"{_names(nodes)}: {id}", diff.splitlines()


def _names(nodes: list[str]) -> str:
    more = len(nodes) - SHOWN
    return ", ".join(nodes[:SHOWN]) + (f" and {more} more" if more > 0 else "")
