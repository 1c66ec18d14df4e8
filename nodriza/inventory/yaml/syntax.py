"""Where YAML's own grammar is broken: PyYAML's places, said in plain words."""

from __future__ import annotations

import re
from typing import Any

import yaml

MAX_DEPTH = 64
"""An inventory is seldom deeper than five; libyaml crashes on a hundred thousand."""

MAX_VALUES = 250_000
"""More than a person writes; and anchors in anchors make very much of very little."""

_Fast: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# What PyYAML says (pattern), and what a person can do about it. {line}: where the
# thing that is not finished began.
_WORDS = (
    (r"'\\t' that cannot start", "a tab: YAML is indented with spaces only"),
    (
        r"character '(?P<c>.)' that cannot start",
        "text can't start with {c} in YAML: put it in quotes",
    ),
    (
        r"mapping values are not allowed",
        "this colon is not expected: is the line indented too far, does the line above lack "
        "its colon, or is it text that needs quotes?",
    ),
    (
        r"could not find expected ':'",
        "no colon after this key, or one that is not followed by a space",
    ),
    (
        r"expected ',' or|did not find expected ',' or",
        "a bracket from line {line} is not closed before this, or a comma is missing",
    ),
    (
        r"expected <block end>|expected <block mapping|did not find expected key|'-' indicator",
        "does not fit into what begins in line {line}: is it indented as its neighbours are?",
    ),
    (r"unexpected end of stream", "the file ends inside of quotes that begin in line {line}"),
    (
        r"while scanning an (alias|anchor)",
        "text can't start with * or & in YAML: put it in quotes",
    ),
    (r"found undefined alias (?P<c>\S+)", "no anchor of this name comes before it"),
    (r"found undefined alias", "no anchor of this name comes before it"),
    (r"found duplicate anchor", "this anchor is already used further up"),
    (r"expected a single document", "a second document begins here: one file is one cluster"),
    (
        r"unknown escape character",
        'a backslash in "double quotes" starts an escape: write it twice, or use single quotes',
    ),
    (
        r"undefined tag handle|tag",
        "tags (words after !) can't be used: an inventory is plain data",
    ),
    (r"expected the node content|expected node content", "a value is expected here"),
)


def compose(text: str) -> yaml.Node | None:
    """The nodes of one document; nothing if the text is empty.

    Raises ``yaml.MarkedYAMLError`` whose ``problem`` is already in plain words.
    """
    _refuse_unprintable(text)
    try:
        _refuse_size(text, _Fast)
        node: yaml.Node | None = yaml.compose(text, Loader=_Fast)
    except _Plain:
        raise
    except yaml.YAMLError:
        # libyaml's words and places are vaguer than those of the Python parser.
        return _compose_slowly(text)
    return node


class _Plain(yaml.MarkedYAMLError):
    """Already in plain words."""


def _compose_slowly(text: str) -> yaml.Node | None:
    try:
        _refuse_size(text, yaml.SafeLoader)
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except _Plain:
        raise
    except yaml.MarkedYAMLError as error:
        raise _plain(error) from None


def _plain(error: yaml.MarkedYAMLError) -> _Plain:
    start: Any = error.context_mark or error.problem_mark
    place: Any = error.problem_mark or start
    said = f"{error.context or ''} {error.problem or ''}"
    for pattern, words in _WORDS:
        found = re.search(pattern, said)
        if found:
            values = {"line": start.line + 1 if start else 1, **found.groupdict()}
            return _Plain(None, None, words.format(**values), place)
    return _Plain(None, None, f"is not YAML: {said.strip()}", place)


def _refuse_size(text: str, loader: Any) -> None:
    depth = count = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        count += isinstance(event, yaml.NodeEvent)
        place: Any = event.start_mark
        if count > MAX_VALUES:
            raise _Plain(None, None, f"more than {MAX_VALUES} values", place)
        if depth > MAX_DEPTH:
            raise _Plain(None, None, f"more than {MAX_DEPTH} levels deep", place)


def _refuse_unprintable(text: str) -> None:
    found = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if found:
        before = text[: found.start()]
        line, column = before.count("\n"), len(before) - before.rfind("\n") - 1
        mark = yaml.Mark("", found.start(), line, column, text, found.start())
        code = f"U+{ord(found.group()):04X}"
        raise _Plain(None, None, f"a character that no text has ({code}): remove it", mark)
