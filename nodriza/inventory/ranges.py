"""``server-[2:50]``: many names, or many addresses, written once.

Both ends belong to the range. ``[01:20]`` keeps its zeros. In a node whose name
is a range, every string value may have ranges too, as long as the name's. Whole
addresses count as well, across their dots: ``[10.0.0.250:10.0.1.5]``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address
from typing import Any

LIMIT = 10_000
"""Names in one range; more is a slip of the finger."""

NUMBER = r"[0-9]{1,9}"
ADDRESS = r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}"
_RANGE = re.compile(rf"\[({NUMBER}|{ADDRESS}):({NUMBER}|{ADDRESS})\]")


class RangeMistake(ValueError):
    """Why a range can't be, in words that stand alone."""


@dataclasses.dataclass(frozen=True)
class Range:
    """Numbers from ``start`` to ``end``, both included, in at least ``width`` digits.

    Without a width they are written as addresses.
    """

    start: int
    end: int
    width: int

    @property
    def size(self) -> int:
        """How many numbers."""
        return self.end - self.start + 1

    def text(self, index: int) -> str:
        """The number at ``index``, counted from 0."""
        number = self.start + index
        return f"{number:0{self.width}d}" if self.width else str(IPv4Address(number))


def is_range(text: str) -> bool:
    """Whether ``text`` has, or tries to have, a range in it."""
    return "[" in text or "]" in text


def expand(text: str) -> list[str]:
    """All the names that ``text`` stands for; without a range, only itself."""
    if not is_range(text):
        return [text]
    ranges = _ranges_in(text)
    rest = _RANGE.sub("", text)
    if len(ranges) != 1 or is_range(rest) or not ranges[0].width:
        raise RangeMistake(
            "a range is written with two numbers, as in server-[2:50], once in a name"
        )
    found = ranges[0]
    before, after = _RANGE.split(text)[0], _RANGE.split(text)[-1]
    return [f"{before}{found.text(index)}{after}" for index in range(found.size)]


def forwards(text: str) -> str:
    """``text`` with the ends of its ranges the other way round."""
    return _RANGE.sub(r"[\2:\1]", text)


def mistakes_in(
    data: Any, size: int, path: tuple[str | int, ...] = ()
) -> Iterator[tuple[tuple[str | int, ...], str, int]]:
    """Every string in ``data`` whose ranges are not ``size`` long: path, reason, and its length.

    The length is 0 where the text is no range at all.
    """
    if isinstance(data, dict):
        for key, value in data.items():
            yield from mistakes_in(value, size, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from mistakes_in(value, size, (*path, index))
    elif isinstance(data, str):
        try:
            sizes = {found.size for found in _ranges_in(data)} - {size}
        except RangeMistake as mistake:
            yield path, str(mistake), 0
        else:
            if sizes:
                least = min(sizes)
                yield path, f"has {least} numbers, but the node's name has {size}", least


def instance(data: Any, index: int) -> Any:
    """``data`` with every range in it replaced by its number at ``index``.

    What is wrong with a range is ``mistakes_in``'s to say: here it stays as it is.
    """
    if isinstance(data, str):
        if "[" not in data:
            return data
        return _RANGE.sub(lambda found: _text_at(found, index), data)
    if isinstance(data, dict):
        return {key: instance(value, index) for key, value in data.items()}
    if isinstance(data, list):
        return [instance(value, index) for value in data]
    return data


def part(text: str, first: int, last: int) -> str:
    """``text`` with every range in it cut to its numbers from ``first`` to ``last``."""

    def cut(found: re.Match[str]) -> str:
        try:
            whole = _range(found)
        except RangeMistake:  # in a comment, say
            return found.group()
        ends = whole.text(first), whole.text(last)
        return ends[0] if first == last else f"[{ends[0]}:{ends[1]}]"

    return _RANGE.sub(cut, text)


def _text_at(found: re.Match[str], index: int) -> str:
    try:
        return _range(found).text(index)
    except RangeMistake:
        return found.group()


def _ranges_in(text: str) -> list[Range]:
    return [_range(found) for found in _RANGE.finditer(text)]


def _range(found: re.Match[str]) -> Range:
    first, last = found.groups()
    result = _addresses(found) if "." in first + last else _numbers(found)
    if result.size < 1:
        raise RangeMistake(f"{found.group()} runs backwards: write [{last}:{first}]")
    if result.size > LIMIT:
        raise RangeMistake(f"{found.group()} has {result.size} numbers; {LIMIT} is the limit")
    return result


def _numbers(found: re.Match[str]) -> Range:
    first, last = found.groups()
    padded = any(len(number) > 1 and number.startswith("0") for number in (first, last))
    if padded and len(first) != len(last):
        raise RangeMistake(
            f"{found.group()}: a range with zeros in front needs as many digits at both ends"
        )
    return Range(int(first), int(last), len(first) if padded else 1)


def _addresses(found: re.Match[str]) -> Range:
    try:
        first, last = (int(IPv4Address(end)) if "." in end else -1 for end in found.groups())
    except AddressValueError:
        first = last = -1
    if -1 in (first, last):
        raise RangeMistake(f"{found.group()}: the ends are not two IPv4 addresses")
    return Range(first, last, 0)
