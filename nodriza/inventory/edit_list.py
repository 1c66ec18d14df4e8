"""An inventory with one entry of a list more or less; every other byte of it stays."""

from __future__ import annotations

from pathlib import Path

import yaml

from nodriza.errors import TargetError
from nodriza.inventory.edit import edited
from nodriza.inventory.load import load_cluster
from nodriza.inventory.model import Cluster
from nodriza.inventory.yaml.syntax import compose


def add_entry(path: Path, key: str, entry: str) -> Cluster:
    """Write it at the end of the list ``key``, which is made if need be; the new cluster.

    Raises ``InventoryError``, and writes nothing, when it would not fit.
    """
    with edited(path) as lines:
        found = _find(lines, key)
        if found is None:
            lines[-1] = lines[-1].rstrip("\r\n") + "\n"
            lines.append(f"{key}: [{entry}]\n")
        elif _has_lines(found[1]):
            last = found[1].value[-1]
            at: int = last.end_mark.line
            lines[at] = lines[at].rstrip("\r\n") + "\n"
            lines.insert(at + 1, f"{' ' * found[1].start_mark.column}- {entry}\n")
        else:
            _write(lines, path, key, found, [*_entries(found[1]), entry])
    return load_cluster(path)


def remove_entry(path: Path, key: str, entry: str) -> Cluster:
    """Take it out of the list, with what is commented in its line; the cluster that is left."""
    with edited(path) as lines:
        found = _find(lines, key)
        if found is None or entry not in _entries(found[1]):
            raise TargetError(f"{key} has no {entry}", kept="nothing was written")
        entries = _entries(found[1])
        if not _has_lines(found[1]):
            _write(lines, path, key, found, [each for each in entries if each != entry])
        else:
            name, items = found[0], list(found[1].value)
            gone = [each.start_mark.line for each in items if each.value == entry]
            whole = [name.start_mark.line] if len(gone) == len(items) else []
            for at in sorted((*gone, *whole), reverse=True):
                del lines[at]
    return load_cluster(path)


def _find(lines: list[str], key: str) -> tuple[yaml.Node, yaml.Node] | None:
    document = compose("".join(lines))
    pairs = document.value if isinstance(document, yaml.MappingNode) else ()
    return next((pair for pair in pairs if pair[0].value == key), None)


def _has_lines(node: yaml.Node) -> bool:
    """Whether it is a list with a line for each entry."""
    return isinstance(node, yaml.SequenceNode) and not node.flow_style


def _entries(node: yaml.Node) -> list[str]:
    if not isinstance(node, yaml.SequenceNode):
        return []  # the key alone
    return [str(each.value) for each in node.value]


def _write(
    lines: list[str],
    path: Path,
    key: str,
    found: tuple[yaml.Node, yaml.Node],
    entries: list[str],
) -> None:
    """The list in one line, as it was; what follows it in that line stays."""
    name, node = found
    if node.start_mark.line != node.end_mark.line:
        raise TargetError(
            f"{key} is in brackets over several lines",
            where=f"{path.name}:{name.start_mark.line + 1}",
            kept="nothing was written",
            do=f"write {key} as a list with a line for each entry, or do it by hand",
        )
    at = node.start_mark.line
    line, first, end = lines[at], node.start_mark.column, node.end_mark.column
    blank = "" if isinstance(node, yaml.SequenceNode) else " "
    lines[at] = f"{line[:first]}{blank}[{', '.join(entries)}]{line[end:]}"
