"""One grammar for what a command is about, in all commands.

``drain:server-2``, ``drain server-2`` and ``drain --target server-2`` are the same, as are
``fab -H server-2 drain`` and, for a command about a secret, ``secrets.show:redis``. They are
spelt out for Invoke's parser, which knows only the last form.

A word behind a command is what the command is about, unless a command or an inventory is
called so. What a command needs besides (the line of ``run``) comes after it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from invoke import Collection
from invoke.parser import Argument, ParserContext
from invoke.tasks import Task as AnyTask

from nodriza.inventory.kinds import WORDS

from .refusal import near, no_such_flag, refusal, short
from .task import Command, flag_of, is_inventory

SUBJECT = "--target"
"""Understood by every command that is about something, whatever its own flag is called."""
HOSTS = ("-H", "--hosts")
GROUPS = ("all", *WORDS)
"""Words for nodes."""
SLIP = 0.75
"""How near a word must be to a command's name to be taken for a slip of the finger."""


@dataclass
class Segment:
    """One command with the words that belong to it."""

    name: str
    task: AnyTask[Any]
    flags: ParserContext
    kept: list[str] = field(default_factory=list)
    """For Invoke as they are."""
    given: set[str] = field(default_factory=set)
    """The parameters whose flags stand here."""
    bare: list[str] = field(default_factory=list)
    about: list[tuple[str, str]] = field(default_factory=list)
    """(how it was given, what the command is about)."""

    @property
    def subject(self) -> str:
        """The name of the parameter that says what the command is about."""
        return self.task.subject if isinstance(self.task, Command) else ""

    @property
    def ours(self) -> bool:
        """Whether it is one of the shipped commands, and no task of the user's own."""
        return isinstance(self.task, Command)

    @property
    def again(self) -> str:
        """How a person would type it again."""
        return ":".join([self.name, *(about for _, about in self.about[:1])])

    @property
    def others(self) -> list[str]:
        """What else it must be told, in this order."""
        names = (str(arg.name) for arg in self.flags.positional_args)
        return [name for name in names if name != self.subject and name not in self.given]

    @property
    def needs_subject(self) -> bool:
        """Whether it can't do without."""
        return any(arg.name == self.subject for arg in self.flags.positional_args)


class Sentence:
    """A command line, read word after word."""

    def __init__(self, commands: Collection, core: ParserContext) -> None:
        self.commands = commands
        self.core = core
        self.names = {
            word: name for name, others in commands.task_names.items() for word in (name, *others)
        }
        self.segments: list[Segment] = []
        self.before: list[str] = []
        self.hosts: str | None = None

    def read(self, typed: Sequence[str], hosts: str | None) -> list[str]:
        """The same line as Invoke reads it. Raises ``Exit`` for what can't be meant.

        ``hosts``: what Fabric's ``--hosts`` said before the first command.
        """
        self.hosts = hosts
        words = list(typed)
        while words:
            word = words.pop(0)
            segment = self.segments[-1] if self.segments else None
            if word.startswith("-") and len(word) > 1:
                self._flag(segment, word, words)
            elif segment is None or not self._belongs(segment, word):
                self._command(segment, word)
        for segment in self.segments:
            self._settle(segment)
        return [*self.before, *(word for each in self.segments for word in self._spelt(each))]

    def own_tasks(self) -> bool:
        """Whether there is a task of the user's own on the line."""
        return any(not segment.ours for segment in self.segments)

    def _flag(self, segment: Segment | None, word: str, words: list[str]) -> None:
        if segment is None:
            self.before.append(word)
            return
        name, value = _parted(word, segment.flags)
        own = _argument(segment.flags, name)
        about = own.name == segment.subject if own else bool(segment.subject) and name == SUBJECT
        if about or (own is None and name in HOSTS):
            if value is None and not words:
                raise refusal(f"{name} needs a value behind it", f"fab --help {segment.name}")
            value = words.pop(0) if value is None else value
            if about:
                segment.about.append((name, value))
            elif self.hosts is None:
                self.hosts = value
            else:
                first, second = short(self.hosts), short(value)
                raise refusal(
                    f"--hosts is there twice, with {first} and with {second}",
                    f"-H {first},{second} for both, or leave one out",
                )
        elif own is None and segment.ours and name == SUBJECT:
            raise self._no_subject(segment.name)
        else:
            if own and own.takes_value and own.name in segment.given:
                raise refusal(
                    f"{name} is there twice: {segment.name} takes one",
                    f"fab --help {segment.name}",
                )
            arg = own or _argument(self.core, name)
            known = (*segment.flags.flags, *segment.flags.inverse_flags, *self.core.flags)
            if segment.ours and arg is None and name.startswith("--") and name not in known:
                # Here, as the word behind it would be taken for something else.
                raise no_such_flag(segment.name, name, known)
            segment.kept.append(word)
            segment.given |= {str(own.name)} if own else set()
            if arg and arg.takes_value and not arg.optional and value is None and words:
                segment.kept.append(words.pop(0))

    def _belongs(self, segment: Segment, word: str) -> bool:
        """Takes a word that is no flag, if it is the command's."""
        if not segment.ours:
            missing = len(segment.flags.positional_args) - len(segment.bare)
            if missing <= 0:
                return False
            segment.bare.append(word)
            return True
        if len(segment.bare) < len(segment.others):
            segment.bare.append(word)
            return True
        if word in self.names or self._with_colon(word):
            return False
        room = len(segment.others) + bool(segment.subject and not segment.about)
        if len(segment.bare) >= room:
            return False
        if not segment.needs_subject and word not in GROUPS and near(word, self.names, SLIP):
            raise refusal(
                f"no command and no inventory {short(word)}",
                f"{near(word, self.names, SLIP)}if it is a node: fab {segment.name}:{short(word)}",
            )
        segment.bare.append(word)
        return True

    def _command(self, before: Segment | None, word: str) -> None:
        name, colon, about = word.partition(":")
        if word in self.names:
            self._begin(word)
        elif colon and self._with_colon(word):
            segment = self._begin(name)
            if not segment.subject:
                raise self._no_subject(name)
            segment.about.append((":", about))
        else:
            raise self._unknown(word, before)

    def _with_colon(self, word: str) -> bool:
        name, colon, _ = word.partition(":")
        return bool(colon) and name in self.names

    def _begin(self, name: str) -> Segment:
        task = self.commands[name]
        copied = copy.copy(task)
        copied.help = dict(task.help)  # Invoke takes out of it what it has read
        args = copied.get_arguments(ignore_unknown_help=True)
        segment = Segment(name, task, ParserContext(name, args=args))
        self.segments.append(segment)
        return segment

    def _settle(self, segment: Segment) -> None:
        """Which of the bare words is what; what --hosts said is a target as well."""
        if not segment.ours:
            return
        if len(segment.bare) > len(segment.others):
            segment.about.append(("", segment.bare.pop(0)))
        if self.hosts is not None:
            if segment.subject != "target":
                raise refusal(
                    f"{segment.name} takes no target, so --hosts has no meaning for it",
                    f"fab {segment.name}",
                )
            segment.about.append(("--hosts", self.hosts))
        if len(segment.about) > 1:
            first, second = (short(about) for _, about in segment.about[:2])
            raise refusal(
                f"{segment.name} has two targets, {first} and {second}",
                f"fab {segment.name}:{first},{second} for both, or leave one out",
            )
        for how, about in segment.about:
            if not about.strip():
                where = "after the colon" if how == ":" else f"behind {how or segment.name}"
                do = f"fab {segment.name}:NODE"
                do = do if segment.needs_subject else f"fab {segment.name} for all nodes, or {do}"
                raise refusal(f"{segment.name}: there is no {segment.subject} {where}", do)

    def _spelt(self, segment: Segment) -> list[str]:
        if not segment.ours:
            return [segment.name, *segment.bare, *segment.kept]
        spelt = [segment.name]
        for name, word in zip(segment.others, segment.bare, strict=False):
            spelt += [flag_of(name), word]
        for _, about in segment.about:
            spelt += [flag_of(segment.subject), about]
        return [*spelt, *segment.kept]

    def _no_subject(self, name: str) -> Exception:
        if is_inventory(self.commands[name]):
            return refusal(f"{name} is an inventory: nothing comes behind it", f"fab {name} plan")
        return refusal(f"{name} takes no target: it is for the whole cluster", f"fab {name}")

    def _unknown(self, word: str, before: Segment | None) -> Exception:
        """A word that is no command, no inventory, and nothing that the command before takes."""
        name = word.partition(":")[0]
        if name in self.commands.collections:
            group = sorted(self.commands.collections[name].tasks)
            typed = ", ".join(f"fab {name}.{one}" for one in group)
            return refusal(f"{name} is several commands", typed)
        if before and before.ours and not before.subject and not near(word, self.names, SLIP):
            if not is_inventory(before.task):
                return self._no_subject(before.name)
        elif before and before.ours and before.subject and (before.about or before.bare):
            one = before.about[0][1] if before.about else before.bare[0]
            if not one.strip():
                return refusal(
                    f"{before.name}: there is no {before.subject} after the colon",
                    f"fab {before.name}:{short(word)}",
                )
            if not near(word, self.names, SLIP):
                return refusal(
                    f"{before.name} has {short(one)} already: what is {short(word)}?",
                    f"fab {before.name}:{short(one)},{short(word)} for two, or fab --list",
                )
        return refusal(
            f"no command and no inventory {short(name)}", near(name, self.names) + "fab --list"
        )


def _parted(word: str, flags: ParserContext) -> tuple[str, str | None]:
    """A flag and its value, where that is in the same word: ``--target=x``, ``-tx``."""
    if word[1] != "-" and len(word) > 2 and word[2] != "=":
        own = _argument(flags, word[:2])
        return (word[:2], word[2:]) if own and own.takes_value else (word, None)
    name, equals, value = word.partition("=")
    return name, value if equals else None


def _argument(context: ParserContext, flag: str) -> Argument | None:
    """The parameter that a flag is for."""
    found: Argument | None = context.flags[flag] if flag in context.flags else None  # noqa: SIM401  get() knows no aliases
    return found
