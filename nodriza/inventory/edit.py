"""An inventory with a node more or less; comments, order and everything else stay."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from nodriza.errors import InventoryError, TargetError
from nodriza.files import exclusively, write_whole
from nodriza.inventory import ranges
from nodriza.inventory.load import load_cluster
from nodriza.inventory.model import Cluster, Node

if TYPE_CHECKING:
    from ruamel.yaml.comments import CommentedMap


def add_node(path: Path, name: str, settings: dict[str, Any]) -> Cluster:
    """Write a node behind the others; the cluster that this makes.

    Raises ``InventoryError``, and writes nothing, when it would not fit.
    """
    with _edited(path) as data:
        if any(name in ranges.expand(key) for key in data["nodes"]):
            raise TargetError(f"there is a {name} already", kept="nothing was written")
        data["nodes"][name] = settings
    return load_cluster(path)


def remove_node(path: Path, name: str) -> Cluster:
    """Take a node out, also out of the middle of a range; the cluster that is left."""
    with _edited(path) as data:
        nodes = data["nodes"]
        key = next(key for key in nodes if name in ranges.expand(key))
        names = ranges.expand(key)
        at, value, place = names.index(name), nodes[key], list(nodes).index(key)
        del nodes[key]
        rest = [(0, at - 1), (at + 1, len(names) - 1)]
        for first, last in reversed([ends for ends in rest if ends[0] <= ends[1]]):
            nodes.insert(place, ranges.part(key, first, last), _part(value, first, last))
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


def _part(value: Any, first: int, last: int) -> Any:
    """A node's settings for a part of its range, with their comments."""
    if isinstance(value, str):
        return type(value)(ranges.part(value, first, last))
    if isinstance(value, dict):
        copy = value.copy()
        for key in copy:
            copy[key] = _part(copy[key], first, last)
        return copy
    if isinstance(value, list):
        return [_part(item, first, last) for item in value]
    return value


@contextlib.contextmanager
def _edited(path: Path) -> Iterator[CommentedMap]:
    """The document to change; written whole, once it is known to make a cluster."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096  # long lines stay as they are
    yaml.indent(mapping=2, sequence=4, offset=2)
    with exclusively(path):
        text = path.read_text("utf-8")
        data = yaml.load(text)
        yield data
        out = io.StringIO()
        yaml.dump(data, out)
        trial = path.with_name(f".{path.stem}.new.yml")
        try:
            trial.write_text(out.getvalue(), "utf-8")
            load_cluster(trial)
        except InventoryError as error:
            problems = (line.replace(trial.name, path.name) for line in error.problems)
            raise InventoryError([*problems]) from None
        finally:
            trial.unlink(missing_ok=True)
        write_whole(path, out.getvalue().encode(), path.stat().st_mode & 0o777)
