"""How a command line is refused: what is wrong, that nothing was done, what to type."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from invoke import Exit

from nodriza.fab import short as short


def refusal(what: str, next_: str) -> Exit:
    """Exit code 2: what was typed can't be meant."""
    return Exit(f"{what}\n  kept: nothing was done\n  next: {next_}", code=2)


def near(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """ "did you mean …? ", or nothing."""
    lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(word.lower()[:64], list(lower), n=3, cutoff=cutoff)
    return f"did you mean {' or '.join(lower[each] for each in found)}? " if found else ""


def no_such_flag(of: str, word: str, known: Iterable[str]) -> Exit:
    """A flag that a command does not have, with the nearest of those that it has."""
    flags = [flag for flag in known if len(flag) > 2]
    help_ = f"fab --help {of}" if of else "fab --help"
    return refusal(f"{of or 'fab'} has no flag {short(word)}", near(word, flags, 0.75) + help_)
