"""The program behind ``fab`` and ``nodriza``: Fabric's, which promises nothing it does not do.

``fab`` is at work already when it reads a fabfile (``nodriza/fab.py``, or Fabric's own script), so
from that moment its program is of the class below; ``nodriza`` begins with it.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import fabric.main
from fabric.executor import Executor as FabricExecutor
from invoke import Collection, Exit
from invoke.exceptions import ParseError
from invoke.parser import ParserContext

from nodriza.errors import NodrizaError
from nodriza.fab import Fab, in_words, refuse_remainder

from . import flags, pipes
from .beside import words_here
from .grammar import Sentence
from .refusal import near, refusal, short
from .session import current_path, inventories, look_from
from .settings import Config
from .shells import script
from .task import Command, flag_of, is_inventory
from .words import explained, help_only, refuse_doubles, refuse_inventories

if TYPE_CHECKING:
    from collections.abc import Sequence

PRINT_SCRIPT = "--print-completion-script"
FORMATS = ("flat", "nested", "json")


class Executor(FabricExecutor):  # type: ignore[misc]  # Fabric has no types
    """Fabric's, but --hosts makes a connection for own tasks only: for ours it is a target."""

    def expand_calls(self, calls: Any, apply_hosts: bool = True) -> list[Any]:
        """As Fabric's."""
        made = []
        for call in calls:
            task = getattr(call, "task", call)
            hosts = apply_hosts and not isinstance(task, Command)
            made += super().expand_calls([call], apply_hosts=hosts)
        return made


class Program(Fab):
    """Reads the whole line, refuses what can't be meant, and only then begins."""

    tasks: list[ParserContext]
    collection: Collection
    line: Sequence[str] = ()
    """The commands as a person would type them again."""

    def parse_core(self, argv: list[str] | None) -> None:
        """The flags before the first command."""
        self._refuse_shell(argv)
        super().parse_core(argv)

    def _refuse_shell(self, argv: list[str] | None) -> None:
        """Invoke prints a script of its own, which knows no targets, as soon as it reads this."""
        words = [each for word in argv or [] for each in word.split("=", 1)]
        if PRINT_SCRIPT in words[:-1]:
            print(script(words[words.index(PRINT_SCRIPT) + 1]), end="")
            raise Exit

    @in_words("this line")
    def parse_tasks(self) -> None:
        """All words, with every form of a target spelt out."""
        look_from(self.args["search-root"].value or self.config.tasks.search_root)
        known = inventories()
        self.collection = self.scoped_collection = words_here(self.collection, known)
        typed = self.core.unparsed
        if not self.args.complete.value:
            refuse_remainder(self.core.remainder)
            help_only(typed, self)
            words = set(self._inventory_words())
            refuse_doubles(typed, set(known) - words, self.collection)
            sentence = Sentence(self.collection, self.initial_context)
            typed[:] = sentence.read(typed, self.args.hosts.value)
            self.line = [segment.again for segment in sentence.segments]
            self.args.hosts._value = sentence.hosts if sentence.own_tasks() else None
        try:
            super().parse_tasks()
        except ParseError as error:
            raise explained(error, self, typed) from None

    @in_words("this line")
    def parse_cleanup(self) -> None:
        """Help, lists and completion; each names something that is there."""
        of, folder, form = (self.args[name].value for name in ("help", "list", "list-format"))
        if isinstance(of, str) and of not in self.parser.contexts:
            raise refusal(
                f"no command {short(of)}", near(of, self.collection.task_names) + "fab --list"
            )
        if isinstance(folder, str) and folder not in self.collection.collections:
            groups = ", ".join(sorted(self.collection.collections))
            raise refusal(f"no group of commands {short(folder)}", f"choose from {groups}")
        if form not in FORMATS:
            raise refusal(f"--list-format {short(form)}", f"choose from {', '.join(FORMATS)}")
        if self.args.complete.value:
            self._complete()
        super().parse_cleanup()

    def _complete(self) -> None:
        """What the shell's script asks for; nothing of a half-typed line is an error."""
        from .completion import Here, Line, printed

        argv = list(self.argv)
        line = Line(self.collection, self.initial_context, argv[argv.index("--") + 1 :])
        word, path = line.inventory, None
        with contextlib.suppress(NodrizaError, Exit):
            path = inventories()[word] if word else current_path(self)
        for each in printed(line, Here(path)):
            print(each)
        raise Exit

    def print_task_help(self, name: str) -> None:
        """Ours like a manual page; those of the user's own as Invoke has them."""
        task = self.collection[name]
        if not isinstance(task, Command):
            super().print_task_help(name)
            return
        from .help import text

        print(text(name, task))

    @in_words("this line")
    def update_config(self) -> None:
        """Fabric asks for passwords here, so what is refused is refused before."""
        refuse_inventories(self.line, set(self._inventory_words()))
        ours = self._ours()
        flags.refuse_flags(self.args.values(), ours)
        for context in self.tasks:
            if task := ours.get(str(context.name)):
                self._refuse_values(task, context)
        self._refuse_files()
        try:
            with pipes.passwords_by_line():
                super().update_config()
        except EOFError:
            raise refusal("nobody is there to type a password", "type it at a terminal") from None
        if flags.dry_by_variable():
            self.config.run.dry = True
        self.config.load_shell_env()
        if ours:
            flags.refuse_settings(self.config)
            self._refuse_dry(ours)

    def execute(self) -> None:
        """With the keys, passwords and time that were asked for, for every connection."""
        from .log_in import remember

        if any(task.connects for task in self._ours().values()):
            remember(self.config)
        super().execute()

    def _refuse_dry(self, ours: dict[str, Command]) -> None:
        if self.config.run.dry:
            for context in self.tasks:
                if task := ours.get(str(context.name)):
                    flags.refuse_dry(str(context.name), task, context.as_kwargs)

    def _refuse_values(self, task: Command, context: ParserContext) -> None:
        """What was typed, and the files that are written when nothing was."""
        try:
            for arg in context.args.values():
                kind = task.kinds.get(str(arg.name))
                if kind and (arg.got_value or (kind.writes and arg.value)):
                    kind.refuse(flag_of(str(arg.name)), arg.value)
        except NodrizaError as error:
            raise Exit(f"{error}", code=error.exit_code) from None

    def _refuse_files(self) -> None:
        path = self.args["ssh-config"].value
        if path is not None and not Path(path).is_file():
            raise refusal(
                f"--ssh-config {short(path)}: there is no such file", f"ls -l {short(path)}"
            )

    def _inventory_words(self) -> list[str]:
        tasks = self.collection.tasks.items()
        return [name for name, task in tasks if is_inventory(task)]

    def _ours(self) -> dict[str, Command]:
        """Our commands on this line."""
        tasks = {str(context.name): self.collection[context.name] for context in self.tasks}
        return {
            name: task
            for name, task in tasks.items()
            if isinstance(task, Command) and not task.chooses
        }


def take_over() -> Program:
    """From now on Fabric's own program is of our class, which has no state of its own."""
    running = fabric.main.program
    running.__class__ = Program
    running.executor_class, running.config_class = Executor, Config
    if hasattr(running, "config"):  # it reads this project's fabric.yaml next
        object.__setattr__(running.config, "__class__", Config)
    return cast("Program", running)
