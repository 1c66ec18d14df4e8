"""``fab COMMAND --help``: like a manual page, from the command itself and its examples."""

from __future__ import annotations

import inspect
import textwrap

from invoke.parser import Argument

from .completion import arguments, name_of
from .examples import EXAMPLES
from .task import Command, flag_of

WIDTH = 79


def text(name: str, task: Command) -> str:
    """Usage, what it does, each option with the form of its value, and lines to type."""
    args = arguments(task)
    about = inspect.getdoc(task) or ""
    rest = "COMMAND" if task.chooses else "[OPTIONS]"
    lines = [f"Usage: fab {name}{_subject(task, args)} {rest}", ""]
    lines += [f"  {line}".rstrip() for line in about.splitlines()]
    options = [(option(task, arg), arg.help or "") for arg in args]
    if options:
        lines += ["", "Options:", ""]
    column = max((len(flags) for flags, _ in options), default=0) + 5
    for flags, said in options:
        wrapped = textwrap.wrap(said, max(WIDTH - column, 30)) or [""]
        lines.append(f"  {flags:<{column - 5}}   {wrapped[0]}".rstrip())
        lines += [f"{'':{column}}{line}" for line in wrapped[1:]]
    if examples := EXAMPLES.get(name):
        lines += ["", "Examples:", "", *(f"  {line}" for line in examples)]
    return "\n".join(lines)


def option(task: Command, arg: Argument) -> str:
    """``-w, --wait NUMBER``."""
    short = sorted(f"-{each}" for each in arg.names if len(each) == 1)
    kind = task.kinds.get(name_of(arg))
    value = f" {kind.placeholder if kind else 'TEXT'}" if arg.takes_value else ""
    return ", ".join([*short, flag_of(name_of(arg))]) + value


def _subject(task: Command, args: list[Argument]) -> str:
    """``:TARGET``, in brackets where it may be left out."""
    if not task.subject:
        return ""
    kind = task.kinds.get(task.subject)
    word = f":{kind.placeholder if kind else 'TEXT'}"
    needed = any(arg.positional and name_of(arg) == task.subject for arg in args)
    return word if needed else f"[{word}]"
