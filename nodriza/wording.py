"""Words that messages of many modules have in common."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str], *, many: int = 1) -> str:
    """``, did you mean "…"?``, or nothing when nothing is near."""
    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower()[:64], by_lower, n=many, cutoff=0.6)
    if not near:
        return ""
    return ", did you mean " + " or ".join(f'"{by_lower[name]}"' for name in near) + "?"


def count(number: int, noun: str) -> str:
    """1 node, 2 nodes."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
