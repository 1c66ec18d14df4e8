"""How files change, each change once: nodes of a kind mostly change alike."""

from __future__ import annotations

from collections.abc import Iterator

SHOWN = 6
"""Nodes that are named; of more, their number."""


class Diffs:
    """The diffs of a run, gathered while its events come, and told at its end."""

    def __init__(self) -> None:
        self._nodes: dict[tuple[str, str], list[str]] = {}  # (id, diff) → nodes

    def add(self, node: str, id: str, diff: str) -> None:
        """One resource of one node; nothing where there is no diff."""
        if diff:
            self._nodes.setdefault((id, diff), []).append(node)

    def told(self) -> Iterator[tuple[str, list[str]]]:
        """ "server-2, server-3: file:/etc/hosts", and the lines; in the order they came."""
        for (id, diff), nodes in self._nodes.items():
            yield f"{_names(nodes)}: {id}", diff.splitlines()


def _names(nodes: list[str]) -> str:
    more = len(nodes) - SHOWN
    return ", ".join(nodes[:SHOWN]) + (f" and {more} more" if more > 0 else "")
