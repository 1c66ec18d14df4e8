"""What a shell may complete: commands, inventories, targets, units, names of secrets, flags.

The scripts in shells.py ask ``fab --complete -- WORDS``, where the last word is the one that is
being typed, and may be empty. Each candidate is a whole word with a line of help behind a tab.
Only files of this computer are read. Whatever goes wrong, nothing is completed.
"""

from __future__ import annotations

import contextlib
import inspect
import stat
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodriza.inventory.kinds import WORDS

from .grammar import GROUPS, HOSTS, SUBJECT
from .task import Command, flag_of, is_inventory

if TYPE_CHECKING:
    from invoke import Collection
    from invoke.parser import Argument, ParserContext

    from nodriza.inventory import Cluster

Found = tuple[str, str]
"""A candidate, and what it is."""


class Here:
    """What the inventory says whose word was typed, or which stands alone."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def targets(self) -> Iterator[str]:
        """Nodes, and the words for several of them. Not checked: only names are needed."""
        import yaml

        from nodriza.inventory.ranges import expand

        if self._path is None:
            return
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            data = yaml.load(self._path.read_bytes(), loader)  # noqa: S506  one of the safe ones
        except (yaml.YAMLError, OSError, ValueError):  # the command itself says what is wrong
            return
        nodes = data.get("nodes") if isinstance(data, dict) else None
        if not isinstance(nodes, dict):
            return
        kinds = {about.get("kind") for about in nodes.values() if isinstance(about, dict)}
        for word in GROUPS:
            if word == "all" or kinds.intersection(WORDS[word]):
                yield word
        for name in nodes:
            with contextlib.suppress(ValueError):  # a range with a mistake
                yield from expand(str(name))

    def units(self) -> Iterator[str]:
        """The services that the nodes' plans have: of one node of each shape."""
        from nodriza.plan.plan import plan_all
        from nodriza.resources import Service

        if self._cluster is None:
            return
        shapes = {(node.kind, *node.roles): node for node in self._cluster.nodes}
        plans = plan_all(self._cluster, list(shapes.values()))
        each = (planned.resource for plan in plans for planned in plan.resources)
        found = (one.unit for one in each if isinstance(one, Service))
        yield from sorted({unit.removesuffix(".service") for unit in found})

    def secrets(self) -> Iterator[str]:
        """Their names. A key that has to be asked for, or comes from a pipe, is left alone."""
        from nodriza.errors import NodrizaError
        from nodriza.vault.key import default_key_path
        from nodriza.vault.store import Vault

        key = default_key_path()
        asked = self._cluster.app.secrets if self._cluster else ()
        names = {name.lower() for name in asked}
        if self._path and key.is_file() and stat.S_ISREG(key.stat().st_mode):
            with contextlib.suppress(NodrizaError, OSError):
                names |= {*Vault.beside(self._path).names()}
        yield from sorted(names)

    @cached_property
    def _cluster(self) -> Cluster | None:
        from nodriza.errors import NodrizaError
        from nodriza.inventory import load_cluster

        if self._path is None:
            return None
        try:
            return load_cluster(self._path)
        except NodrizaError:
            return None


class Line:
    """A command line up to the cursor."""

    def __init__(self, commands: Collection, core: ParserContext, words: Sequence[str]) -> None:
        *self.before, self.word = words or [""]
        self.commands = commands
        self.core = core
        self.names = {
            word: name for name, others in commands.task_names.items() for word in (name, *others)
        }

    @cached_property
    def inventory(self) -> str:
        """The word of one on this line; empty without."""
        known = (word for word in self.before if word in self.names)
        return next((word for word in known if is_inventory(self._task(word))), "")

    def candidates(self, here: Here) -> Iterator[Found]:
        """Whole words that may stand in the place of the last one."""
        task, args, given = self._last()
        flag = self.before[-1] if self.before else ""
        name, equals, _ = self.word.partition("=")
        if self.word.startswith("-") and equals:
            yield from self._values(task, args, name, f"{name}=", here)
        elif self._takes_value(args, flag):
            yield from self._values(task, args, flag, "", here)
        elif self.word.startswith("-"):
            yield from self._flags(task, args, given)
        elif ":" in self.word:
            name = self.word.partition(":")[0]
            if name in self.names and isinstance(found := self._task(name), Command):
                yield from self._about(found, f"{name}:", here)
        else:
            lacks = task.subject if task and task.subject not in given else ""
            if task and lacks:
                yield from self._about(task, "", here)
            if not lacks or not any(name_of(arg) == lacks and arg.positional for arg in args):
                yield from self._commands()

    def _task(self, word: str) -> Any:
        return self.commands[self.names[word]]

    def _last(self) -> tuple[Command | None, list[Argument], set[str]]:
        """The command that the word belongs to, its parameters, and those that were given."""
        task: Command | None = None
        args: list[Argument] = []
        given: set[str] = set()
        value = False
        for word in self.before:
            name, colon, _ = word.partition(":")
            if value:
                value = False
            elif word.startswith("-"):
                flag, equals, _ = word.partition("=")
                own = _argument(args, flag)
                given.add(name_of(own) if own else (task.subject if task else ""))
                value = self._takes_value(args, flag) and not equals
            elif name in self.names:
                found = self._task(name)
                task, given = (found if isinstance(found, Command) else None), set()
                args = arguments(found)
                if colon and task:
                    given.add(task.subject)
            elif task:
                given.add(task.subject)
        return task, args, given

    def _takes_value(self, args: Iterable[Argument], flag: str) -> bool:
        own = _argument(args, flag)
        if own is not None:
            return bool(own.takes_value)
        return flag in (SUBJECT, *HOSTS) or (
            flag in self.core.flags and bool(self.core.flags[flag].takes_value)
        )

    def _values(
        self,
        task: Command | None,
        args: Iterable[Argument],
        flag: str,
        before: str,
        here: Here,
    ) -> Iterator[Found]:
        own = _argument(args, flag)
        if task and own and name_of(own) == task.subject:
            yield from self._about(task, before, here)
        elif own is None and flag in (SUBJECT, *HOSTS):
            yield from self._listed(before, here.targets())
        elif flag in ("-h", "--help"):
            yield from self._commands()
        elif task and own and (kind := task.kinds.get(name_of(own))):
            yield from ((before + word, "") for word in kind.completions(here))

    def _about(self, task: Command, before: str, here: Here) -> Iterator[Found]:
        kind = task.kinds.get(task.subject)
        if kind:
            yield from self._listed(before, kind.completions(here))

    def _listed(self, before: str, words: Iterable[str]) -> Iterator[Found]:
        """Several may be written with commas between them."""
        typed = self.word.removeprefix(before)
        done = typed[: typed.rfind(",") + 1]
        there = {*done.split(",")}
        yield from ((before + done + word, "") for word in words if word not in there)

    def _flags(
        self, task: Command | None, args: Iterable[Argument], given: set[str]
    ) -> Iterator[Found]:
        if not args:
            for name in sorted(self.core.flag_names()):
                if name.startswith("--"):
                    yield name, self.core.flags[name].help or ""
            return
        for arg in args:
            if name_of(arg) not in given:
                yield flag_of(name_of(arg)), arg.help or ""
        if task and task.subject and not {task.subject, "target"} & {*given, *map(name_of, args)}:
            yield SUBJECT, "what it is about"
        yield "--help", "what the command does"

    def _commands(self) -> Iterator[Found]:
        for word, name in sorted(self.names.items()):
            task = self.commands[name]
            if is_inventory(task) and (self.inventory or self.before):
                continue  # it comes first, and only one
            yield word, (inspect.getdoc(task) or "").partition("\n")[0]


def arguments(task: Any) -> list[Argument]:
    """The parameters of a command."""
    kept = task.help
    task.help = dict(task.about if isinstance(task, Command) else kept)  # Invoke empties it
    found: list[Argument] = task.get_arguments(ignore_unknown_help=True)
    task.help = kept
    return found


def _argument(args: Iterable[Argument], flag: str) -> Argument | None:
    for arg in args:
        if flag in [flag_of(name) if len(name) > 1 else f"-{name}" for name in arg.names]:
            return arg
    return None


def name_of(arg: Argument) -> str:
    """Of its parameter."""
    return str(arg.attr_name or max(arg.names, key=len))


def printed(line: Line, here: Here) -> Iterator[str]:
    """A candidate a line, those that begin as the word does."""
    for word, about in line.candidates(here):
        if word.startswith(line.word):
            yield f"{word}\t{about}" if about else word
