"""The whole command line is read before anything of it is done: a slip touches nothing."""

from __future__ import annotations

import difflib
import itertools
import re
import shlex
from collections.abc import Collection as Words
from collections.abc import Iterable

from fabric.main import program
from invoke import Collection, Exit
from invoke.exceptions import ParseError
from invoke.parser import Parser, ParserContext

UNKNOWN = re.compile(r"No idea what '(.*)' is!", re.DOTALL)


def taken(name: str, commands: Collection) -> bool:
    """Whether a command, or a group of commands, has this name."""
    return name in commands.tasks or name in commands.collections


def is_word(name: str, commands: Collection) -> bool:
    """Whether an inventory of this name can have a word: dots are for groups of commands."""
    return bool(re.fullmatch(r"\w[\w-]*", name)) and not taken(name, commands)


def spell_out(word: str) -> None:
    """``provision:a.b`` as if it had been typed ``provision --target a.b``."""
    typed = getattr(getattr(program, "core", None), "unparsed", [])
    command, _, target = word.partition(":")
    while word in typed:
        at = typed.index(word)
        typed[at : at + 1] = [command, "--target", target]


def refuse_slips(commands: Collection, inventories: Words[str]) -> None:
    """Stop, with exit code 2, at anything that can't be meant as it was typed.

    ``commands`` has a word for each of ``inventories``, unless a command is called so.
    """
    typed = getattr(getattr(program, "core", None), "unparsed", None)
    if not typed or program.args.complete.value:
        return
    _help_only(typed, commands)
    if program.core.remainder:
        command = shlex.quote(program.core.remainder)
        raise _no(
            f"nothing can stand behind --: {_short(command)}", "fab run 'uptime' --target NODE"
        )
    words = {name for name in inventories if getattr(commands.tasks.get(name), "chooses", False)}
    _refuse_doubles(typed, set(inventories) - words, commands)
    contexts = commands.to_contexts(ignore_unknown_help=True)
    try:
        core, *chosen = Parser(contexts, initial=program.initial_context).parse_argv(typed)
    except ParseError as error:
        raise _explained(error, commands, typed) from None
    except ValueError as error:  # the only values that are not text are numbers
        word = str(error).partition(": ")[2]
        raise _no(f"{word} is not a whole number", "fab --help COMMAND") from None
    if not core.args["help"].value:
        _refuse_inventories([str(context.name) for context in chosen], words)
        for context in chosen:
            _refuse_target(context)


def _help_only(typed: list[str], commands: Collection) -> None:
    """``drain --help`` as ``--help drain``: Invoke would drain a node called --help."""
    for word, flag in itertools.pairwise(typed):
        command = word.partition(":")[0]
        if flag in {"--help", "-h"} and command in commands.task_names:
            program.args["help"].value = command
            typed.clear()
            return


def _refuse_doubles(typed: list[str], wordless: Words[str], commands: Collection) -> None:
    """An inventory that has the name of a command, and has therefore no word."""
    for name in typed:
        if name in wordless:
            is_command = taken(name, commands) or name in commands.task_names
            why = "is a command" if is_command else "is no plain word"
            raise _no(
                f"{name} {why}, so it can't stand for inventories/{name}.yml",
                f"give the file another name, and {name}.* beside it",
            )


def _refuse_inventories(names: list[str], words: Words[str]) -> None:
    """One inventory, before the commands that are for it."""
    chosen = list(dict.fromkeys(name for name in names if name in words))
    others = [name for name in names if name not in words]
    if len(chosen) > 1:
        raise _no(
            f"{' and '.join(chosen)} are inventories: one at a time",
            f"fab {chosen[0]} {' '.join(others) or 'plan'}",
        )
    if chosen and not others:
        raise _no(
            f"{chosen[0]} is an inventory: what shall be done with it?",
            f"fab {chosen[0]} plan, fab {chosen[0]} provision; fab --list shows all",
        )
    if chosen and names[0] != chosen[0]:
        raise _no(
            f"the inventory comes first: {names[0]} would be for another one than {chosen[0]}",
            f"fab {chosen[0]} {' '.join(others)}",
        )


def _refuse_target(context: ParserContext) -> None:
    """``provision:`` is not "all of them": a variable in a script may have been empty."""
    command, colon, target = str(context.name).partition(":")
    flag = context.args.get("target", None)
    given = flag.raw_value if flag else None
    if colon and given is not None:
        raise _no(
            f"{command} has two targets, {_short(target)} and {_short(given)}",
            f"fab {command}:{_short(target)},{_short(given)} for both, or leave one out",
        )
    if (colon and not target.strip()) or (flag and given is not None and not given.strip()):
        where = "after the colon" if colon else "behind --target"
        raise _no(
            f"{command}: there is no target {where}",
            f"fab {command} for all nodes, or fab {command}:NODE",
        )


def _explained(error: ParseError, commands: Collection, typed: list[str]) -> Exit:
    """Invoke's own finding in our words."""
    of = str(error.context.name or "").partition(":")[0] if error.context else ""
    help_ = f"fab --help {of}" if of else "fab --help"
    if found := UNKNOWN.fullmatch(str(error)):
        # As it was typed, not as Python would write it.
        word = next((word for word in typed if repr(word) == f"'{found[1]}'"), found[1])
        if word.startswith("-"):
            own = error.context.flags if error.context else ()
            flags = [flag for flag in (*own, *program.initial_context.flags) if len(flag) > 2]
            near = _near(word, flags, 0.75)
            return _no(f"{of or 'fab'} has no flag {_short(word)}", near + help_)
        return _unknown(word, of, commands)
    if found := re.match(r"Flag <Argument: (\S+)", str(error)):
        return _no(f"--{found[1]} needs a value behind it", help_)
    if found := re.search(r"required positional arguments: (.*)", str(error)):
        return _no(f"{of} needs to be told: {found[1]}".replace("'", ""), help_)
    return _no(str(error), help_)


def _unknown(word: str, before: str, commands: Collection) -> Exit:
    """A word that is no command and no inventory, after the command ``before``."""
    name, colon, _ = word.partition(":")
    if name in commands.collections:
        group = sorted(commands.collections[name].tasks)
        return _no(f"{name} is several commands", ", ".join(f"fab {name}.{one}" for one in group))
    if colon and taken(name, commands):
        return _no(f"{name} takes no target: it is for the whole cluster", f"fab {name}")
    words = f"no command and no inventory {_short(name)}"
    near = _near(name, commands.task_names)
    if getattr(commands.tasks.get(before), "takes_target", False) and not colon and not near:
        return _no(words, f"if it is a node: fab {before}:{_short(word)}; else fab --list")
    return _no(words, near + "fab --list")


def _near(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    near = difflib.get_close_matches(word[:64], list(known), n=3, cutoff=cutoff)
    return f"did you mean {' or '.join(near)}? " if near else ""


def _short(word: str) -> str:
    return word if len(word) <= 60 else word[:60] + "…"


def _no(what: str, next_: str) -> Exit:
    return Exit(f"{what}\n  kept: nothing was done\n  next: {next_}", code=2)
