"""An inventory with a node more or less; every other byte of it stays.

YAML's own parser says in which lines a node is written, and only those are touched: a
document that is loaded and written anew loses blanks, indents, and the comments that
follow what goes.
"""

from __future__ import annotations

import contextlib
import re
import textwrap
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from nodriza.errors import InventoryError, TargetError
from nodriza.files import exclusively, write_whole
from nodriza.inventory import ranges
from nodriza.inventory.load import load_cluster
from nodriza.inventory.model import Cluster, Node
from nodriza.inventory.yaml.syntax import compose

ANCHOR = re.compile(r"(?<=: )&[^\s,\[\]{}]+ ?")


class Block(NamedTuple):
    """The lines in which nodes are written, from ``first`` up to and without ``end``."""

    key: str
    first: int
    end: int
    indent: str


def add_node(path: Path, name: str, settings: dict[str, Any]) -> Cluster:
    """Write a node behind the others; the cluster that this makes.

    Raises ``InventoryError``, and writes nothing, when it would not fit.
    """
    with edited(path) as lines:
        blocks = _blocks(lines, path)
        if any(name in ranges.expand(block.key) for block in blocks):
            raise TargetError(f"there is a {name} already", kept="nothing was written")
        last = blocks[-1]
        # The last line of a file may lack its end.
        lines[last.end - 1] = lines[last.end - 1].rstrip("\r\n") + "\n"
        text = yaml.safe_dump({name: settings}, sort_keys=False, allow_unicode=True, width=4096)
        lines.insert(last.end, textwrap.indent(text, last.indent))
    return load_cluster(path)


def remove_node(path: Path, name: str) -> Cluster:
    """Take a node out, also out of the middle of a range; the cluster that is left."""
    with edited(path) as lines:
        blocks = _blocks(lines, path)
        block = next(block for block in blocks if name in ranges.expand(block.key))
        names = ranges.expand(block.key)
        at, text = names.index(name), "".join(lines[block.first : block.end])
        rest = [(0, at - 1), (at + 1, len(names) - 1)]
        parts = [ranges.part(text, first, last) for first, last in rest if first <= last]
        # An anchor has one place; the first part keeps it.
        lines[block.first : block.end] = [*parts[:1], *(ANCHOR.sub("", p) for p in parts[1:])]
    return load_cluster(path)


def next_address(cluster: Cluster, kind: str, network: str) -> str:
    """The one after the highest of its kind that nobody has, in the network's own range."""
    whole = IPv4Network(getattr(cluster.networks, network))
    taken = set(_addresses(cluster.nodes, network))
    highest = max(
        _addresses((node for node in cluster.nodes if node.kind == kind), network),
        default=whole.network_address,
    )
    after = (IPv4Address(number) for number in range(int(highest) + 1, int(whole[-1])))
    free = next((address for address in after if address not in taken), None)
    if free is None:
        raise TargetError(f"no address is left in {whole}", do=f"say one: --{network} ADDRESS")
    return str(free)


def _addresses(nodes: Iterable[Node], network: str) -> list[IPv4Address]:
    return [IPv4Address(at) for node in nodes if (at := getattr(node, network))]


def _blocks(lines: list[str], path: Path) -> list[Block]:
    """Each key of ``nodes``, in order. What is commented above it is not in its lines."""
    document = compose("".join(lines))
    nodes = next(value for key, value in document.value if key.value == "nodes")  # type: ignore[union-attr]
    if nodes.flow_style:
        raise TargetError(
            "the nodes are written in braces",
            where=f"{path.name}:{nodes.start_mark.line + 1}",
            kept="nothing was written",
            do="write each node in a line of its own, or do it by hand",
        )
    return [
        Block(
            key.value,
            key.start_mark.line,
            max(_last_line(key), _last_line(value)) + 1,
            " " * key.start_mark.column,
        )
        for key, value in nodes.value
    ]


def _last_line(node: yaml.Node) -> int:
    """Where a value ends, without the comments that follow. An alias ends where it is meant."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        return max(_last_line(each) for pair in node.value for each in pair)
    if isinstance(node, yaml.SequenceNode) and not node.flow_style:
        return max(_last_line(each) for each in node.value)
    # A text over several lines (|, >) ends at the beginning of the line after it.
    over = node.end_mark.column == 0 and node.end_mark.line > node.start_mark.line
    return int(node.end_mark.line) - over


@contextlib.contextmanager
def edited(path: Path) -> Iterator[list[str]]:
    """The lines to change; written whole, once they are known to make a cluster."""
    with exclusively(path):
        lines = path.read_bytes().decode("utf-8").splitlines(keepends=True)
        yield lines
        text = "".join(lines)
        trial = path.with_name(f".{path.stem}.new.yml")
        try:
            write_whole(trial, text.encode(), 0o600, follow=False)
            load_cluster(trial)
        except InventoryError as error:
            problems = (line.replace(trial.name, path.name) for line in error.problems)
            raise InventoryError([*problems]) from None
        finally:
            trial.unlink(missing_ok=True)
        write_whole(path, text.encode(), path.stat().st_mode & 0o777)
