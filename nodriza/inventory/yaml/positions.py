"""YAML into plain data, with the place of every key and every value.

PyYAML composes the text into nodes, which carry their places; this module turns
the nodes into dicts, lists and scalars itself. So it can refuse what PyYAML lets
pass in silence: keys given twice, `no` that becomes false, 012 that becomes 10,
22:22 that becomes 1342, 3.10 that becomes 3.1. Anchors and merges (`<<`) work,
and what comes through them keeps the place where it is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import yaml

from nodriza.inventory.yaml.syntax import MAX_DEPTH, MAX_VALUES, compose

Path = tuple[str | int, ...]

_TAG = "tag:yaml.org,2002:"
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_TRAILING_ZERO = re.compile(r"-?[0-9]+\.[0-9]+0")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class Mark(NamedTuple):
    """A place in the file, both counted from 1."""

    line: int
    column: int


class Problem(NamedTuple):
    """One thing that is wrong, for a person to read."""

    mark: Mark
    path: Path
    message: str


class Document:
    """The data of one file, and where each part of it is written."""

    def __init__(self) -> None:
        self.data: Any = None
        self.keys: dict[Path, Mark] = {}
        self.values: dict[Path, Mark] = {(): Mark(1, 1)}
        self.spoiled: set[Path] = set()
        """Values already complained about: what follows from them is not news."""
        self.problems: list[Problem] = []
        self.doubled: set[Path] = set()
        """Keys that are given twice; the data has one of the two."""
        self.unquoted: list[Problem] = []
        """Keys that YAML takes for no text, and that quotes would make one."""
        self._topics: set[tuple[Path, str]] = set()

    def mark(self, path: Path, *, key: bool = False) -> Mark:
        """Where ``path`` is written, or the nearest thing around it that is."""
        wanted = self.keys if key else self.values
        if path in wanted:
            return wanted[path]
        for length in range(len(path), 0, -1):
            # A missing key is shown at the key that it is missing under.
            place = self.keys.get(path[:length]) or self.values.get(path[:length])
            if place:
                return place
        return self.values[()]

    def complain(self, path: Path, message: str, *, key: bool = False, topic: str = "") -> None:
        """Note a problem, unless something around ``path`` is known to be wrong already.

        Of several with one ``topic`` at one path only the first is kept: what is
        wrong with a range is wrong with each of its nodes.
        """
        if any(path[:length] in self.spoiled for length in range(len(path) + 1)):
            return
        if topic and (path, topic) in self._topics:
            return
        self._topics.add((path, topic))
        self.problems.append(Problem(self.mark(path, key=key), path, message))


def read_marked(text: str, *, last: bool = False) -> Document:
    """The data and places of one YAML text; what is wrong is in ``problems``.

    ``last``: of a key that is given twice the last value is taken, else the first.
    """
    document = Document()
    try:
        node = compose(text)
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark
        mark = Mark(place.line + 1, place.column + 1) if place else Mark(1, 1)
        document.problems.append(Problem(mark, (), str(error.problem)))
        document.spoiled.add(())
        return document
    if node is not None:
        builder = _Builder(document, last=last)
        try:
            document.data = builder.value(node, ())
        except _TooMuch as error:
            document.problems.append(Problem(_mark(error.args[0]), (), error.args[1]))
            document.spoiled.add(())
    return document


class _TooMuch(Exception):
    """The node where it was noticed, and what is too much."""


class _Builder:
    """Walks the nodes once, with the path of keys that leads to each."""

    def __init__(self, document: Document, *, last: bool) -> None:
        self.document = document
        self.last = last
        self.open: list[yaml.Node] = []
        self.count = 0

    def value(self, node: yaml.Node, path: Path) -> Any:
        """The data of ``node``; notes its place under ``path``."""
        self.document.values[path] = _mark(node)
        self.step(node)
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, path)
        self.enter(node)
        result = self.collection(node, path)
        self.open.pop()
        return result

    def step(self, node: yaml.Node) -> None:
        """Count what is read; anchors in anchors can make very much of very little."""
        self.count += 1
        if self.count > MAX_VALUES:
            raise _TooMuch(node, "too many values: are there anchors inside of anchors?")

    def enter(self, node: yaml.Node) -> None:
        """Go into a collection, unless that would never end."""
        if any(node is outer for outer in self.open):
            raise _TooMuch(node, "this anchor contains itself")
        if len(self.open) > MAX_DEPTH:
            raise _TooMuch(node, f"more than {MAX_DEPTH} levels deep")
        self.open.append(node)

    def collection(self, node: yaml.Node, path: Path) -> Any:
        """A dict or a list."""
        if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        self.spoil(path, _no_tag(node))
        return None

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        """A dict, with what ``<<`` brings in."""
        result = {}
        for name, (key, value) in self.pairs(node, path).items():
            self.document.keys[(*path, name)] = _mark(key)
            result[name] = self.value(value, (*path, name))
        return result

    def pairs(self, node: yaml.MappingNode, path: Path) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Key and value nodes by name: a mapping's own, then what it merges and has not."""
        self.step(node)
        pairs: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        first: dict[str, int] = {}
        merges = []
        for key, value in node.value:
            if key.tag == _TAG + "merge":
                merges.append(value)
                continue
            name = self.key(key, path)
            if name is not None and name in pairs:
                message = f"the same key is already in line {first[name]}"
                self.document.problems.append(Problem(_mark(key), (*path, name), message))
                self.document.doubled.add((*path, name))
            if name is not None and (self.last or name not in pairs):
                first.setdefault(name, _mark(key).line)
                pairs[name] = (key, value)
        for merge in merges:
            for item in merge.value if isinstance(merge, yaml.SequenceNode) else [merge]:
                self.merge(item, path, pairs)
        return pairs

    def merge(
        self, node: yaml.Node, path: Path, pairs: dict[str, tuple[yaml.Node, yaml.Node]]
    ) -> None:
        """Add to ``pairs`` what one ``<<`` brings in and is not there yet."""
        if not isinstance(node, yaml.MappingNode):
            message = "only keys and values can be merged"
            self.document.problems.append(Problem(_mark(node), (*path, "<<"), message))
            return
        self.enter(node)
        for name, pair in self.pairs(node, path).items():
            pairs.setdefault(name, pair)
        self.open.pop()

    def key(self, node: yaml.Node, path: Path) -> str | None:
        """A key as text, or nothing if it is none."""
        message = "a key must be text without control characters"
        if not isinstance(node, yaml.ScalarNode):
            message = "a key must be text: write it in quotes"
        elif node.tag != _TAG + "str" and node.value and node.value not in _OURS:
            words = f"a key must be text: write it in quotes, {_quoted(node.value)}"
            self.document.unquoted.append(Problem(_mark(node), path, words))
            return str(node.value)
        elif node.value and not _CONTROL.search(node.value):
            return str(node.value)
        self.document.problems.append(Problem(_mark(node), path, message))
        return None

    def scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        """One value; what YAML would make something surprising of is refused."""
        convert = _SCALARS.get(node.tag.removeprefix(_TAG))
        if convert is None:
            self.spoil(path, _no_tag(node))
            return None
        try:
            return convert(node.value)
        except ValueError as error:
            self.spoil(path, str(error))
            return node.value

    def spoil(self, path: Path, message: str) -> None:
        """Complain once about a value, and not again about what follows from it."""
        self.document.complain(path, message)
        self.document.spoiled.add(path)


_OURS = ("on",)
"""Keys of ours that YAML 1.1 takes for a truth value. YAML 1.2, which editors read, does not."""


def _mark(node: yaml.Node) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)


def _quoted(raw: str) -> str:
    return '"' + (raw if len(raw) <= 40 else raw[:40] + "…") + '"'


def _no_tag(node: yaml.Node) -> str:
    tag = node.tag.replace(_TAG, "!!")
    return f"the tag {tag} can't be used here: an inventory is plain data"


def _text(raw: str) -> str:
    found = _CONTROL.search(raw)
    if found:
        raise ValueError(f"has a control character in it (code {ord(found.group())})")
    return raw


def _whole(raw: str) -> int:
    if _WHOLE.fullmatch(raw):
        return int(raw)
    kind = "a number in another notation"
    if re.fullmatch(r"[-+]?0[0-7_]+", raw):
        kind = "an octal number"
    elif ":" in raw:
        kind = "a number to base 60"
    elif len(raw) > 18:
        kind = "a very large number"
    raise ValueError(
        f"YAML takes {raw[:40]} for {kind}: write a plain number, or {_quoted(raw)} for text"
    )


def _fraction(raw: str) -> float:
    if ":" in raw:
        return _whole(raw)
    if _TRAILING_ZERO.fullmatch(raw):
        raise ValueError(
            f"YAML takes {raw[:40]} for the number {float(raw)!r}: "
            f"write {_quoted(raw)} if it is a version or other text"
        )
    try:
        number = float(raw)
    except ValueError:
        raise ValueError(
            f"{raw[:40]} is no plain number: write digits, or {_quoted(raw)}"
        ) from None
    if not abs(number) < float("inf"):
        raise ValueError("is a number without end: write a smaller one, or quotes")
    return number


def _truth(raw: str) -> bool:
    if raw.lower() in ("true", "false"):
        return raw.lower() == "true"
    meaning = "true" if raw.lower() in ("yes", "on") else "false"
    raise ValueError(
        f"YAML takes {raw[:40]} for {meaning}: write {_quoted(raw)} in quotes for the word, "
        f"or {meaning} if that is meant"
    )


def _date(raw: str) -> str:
    raise ValueError(f"YAML takes {raw[:40]} for a date: write {_quoted(raw)} in quotes")


_SCALARS: dict[str, Callable[[str], Any]] = {
    "str": _text,
    "value": _text,
    "int": _whole,
    "float": _fraction,
    "bool": _truth,
    "null": lambda _raw: None,
    "timestamp": _date,
}
