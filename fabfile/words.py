"""The whole command line is read before anything of it is done: a slip touches nothing."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection as Names
from typing import TYPE_CHECKING

from invoke import Collection, Exit
from invoke.exceptions import ParseError

from .beside import taken
from .refusal import near, no_such_flag, refusal, short
from .session import refuse_double
from .task import flag_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from invoke import Program

UNKNOWN = re.compile(r"No idea what '(.*)' is!", re.DOTALL)


def help_only(typed: list[str], program: Program) -> None:
    """``drain --help`` as ``--help drain``: Invoke would drain a node called --help."""
    for word, flag in itertools.pairwise(typed):
        command = word.partition(":")[0]
        if flag in {"--help", "-h"} and command in program.collection.task_names:
            program.args["help"].value = command
            typed.clear()
            return


def refuse_doubles(typed: Iterable[str], wordless: Names[str], commands: Collection) -> None:
    """An inventory that has the name of a command, or of another, and has therefore no word."""
    for name in typed:
        if not taken(name, commands):
            refuse_double(name)
        if name in wordless:
            is_command = taken(name, commands) or name in commands.task_names
            why = "is a command" if is_command else "is no plain word"
            raise refusal(
                f"{name} {why}, so it can't stand for inventories/{name}.yml",
                f"give the file another name, and {name}.* beside it",
            )


def refuse_inventories(names: Sequence[str], words: Names[str]) -> None:
    """One inventory, before the commands that are for it."""
    chosen = list(dict.fromkeys(name for name in names if name in words))
    others = [name for name in names if name not in words]
    if len(chosen) > 1:
        raise refusal(
            f"{' and '.join(chosen)} are inventories: one at a time",
            f"fab {chosen[0]} {' '.join(others) or 'plan'}",
        )
    if chosen and not others:
        raise refusal(
            f"{chosen[0]} is an inventory: what shall be done with it?",
            f"fab {chosen[0]} plan, fab {chosen[0]} provision; fab --list shows all",
        )
    if chosen and names[0] != chosen[0]:
        raise refusal(
            f"the inventory comes first: {names[0]} would be for another one than {chosen[0]}",
            f"fab {chosen[0]} {' '.join(others)}, or fab {names[0].partition(':')[0]}:{chosen[0]}"
            " if it is a node",
        )


def explained(error: ParseError, program: Program, typed: list[str]) -> Exit:
    """Invoke's own finding in our words."""
    of = str(error.context.name or "") if error.context else ""
    help_ = f"fab --help {of}" if of else "fab --help"
    if found := UNKNOWN.fullmatch(str(error)):
        # As it was typed, not as Python would write it.
        word = next((word for word in typed if repr(word) == f"'{found[1]}'"), found[1])
        if not word.startswith("-"):
            return refusal(
                f"no command and no inventory {short(word)}",
                near(word, program.collection.task_names) + "fab --list",
            )
        own = error.context.flags if error.context else ()
        return no_such_flag(of, word, (*own, *program.initial_context.flags))
    if found := re.match(r"Flag <Argument: ([\w-]+)", str(error)):
        return refusal(f"{flag_of(found[1])} needs a value behind it", help_)
    if found := re.search(r"required positional arguments: (.*)", str(error)):
        return refusal(f"{of} needs to be told: {found[1]}".replace("'", ""), help_)
    return refusal(str(error), help_)
