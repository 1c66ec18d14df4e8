"""The words beside the shipped commands: own tasks, inventories, targets."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from fabric.tasks import Task
from invoke import Collection, Exit
from invoke.tasks import Task as AnyTask

from .session import inventories, inventory_word, with_target
from .words import is_word, refuse_slips, spell_out


class Commands(Collection):
    """The shipped commands, and everything else that may be typed here."""

    def __bool__(self) -> bool:
        """Invoke asks whether there are commands, when it has read the whole fabfile.

        Only then are all of its own tasks known, wherever in the file they stand.
        """
        for task in list(self._own_tasks()):
            self._add_own(task)
        for name, path in inventories().items():
            if is_word(name, self):
                self.add_task(inventory_word(name, path))
        self._aim(sys.argv[1:])
        refuse_slips(self, inventories())
        return bool(super().__bool__())

    def _own_tasks(self) -> Iterator[Task]:
        """Those of every module that has this collection as its ``ns``."""
        shipped = list(self.tasks.values())
        for module in list(sys.modules.values()):
            names = getattr(module, "__dict__", {})
            if names.get("ns") is self:
                tasks = (item for item in names.values() if isinstance(item, AnyTask))
                yield from (task for task in tasks if task not in shipped)

    def _add_own(self, task: Task) -> None:
        """In the place of a shipped one of that name, as with roles and templates."""
        try:
            self.add_task(task)
        except ValueError:
            raise Exit(
                f"own task {task.name}: there are commands that begin with {task.name}.\n"
                "  next: give it another name",
                code=2,
            ) from None

    def _aim(self, words: list[str]) -> None:
        for word in words:
            command, colon, target = word.partition(":")
            if not (colon and getattr(self.tasks.get(command), "takes_target", False)):
                continue
            if {".", "_"} & set(word):  # which Invoke reads as a group's dot and as a hyphen
                spell_out(word)
            else:
                self.add_task(with_target(self.tasks[command], word, target))
