"""The words beside the shipped commands: own tasks and inventories."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from invoke import Collection, Exit
from invoke.tasks import Task

from .session import inventory_word


class Shipped(Collection):
    """The commands of this project; a fabfile that has one as its ``ns`` adds its own tasks."""


class Words(Collection):
    """Everything that may be typed here, under exactly the name that it has.

    Invoke writes hyphens for underscores in the names of tasks. An inventory's word is its
    file, so ``prod_eu`` must not come to mean prod-eu.yml.
    """

    def transform(self, name: str) -> str:
        """As Invoke does, but for names that are there as they are."""
        return name if name in self.tasks else super().transform(name)


def words_here(loaded: Collection, inventories: dict[str, Path]) -> Words:
    """The commands that a fabfile gave, its own tasks, and a word for each inventory."""
    words = Words(auto_dash_names=loaded.auto_dash_names)
    words.name, words.default = loaded.name, loaded.default
    words.tasks, words.collections = loaded.tasks, loaded.collections
    words.configure(loaded.configuration())
    for task in _own_tasks():
        _add_own(words, task)
    for name, path in inventories.items():
        if is_word(name, words):
            words.tasks[name] = inventory_word(name, path)
    return words


def taken(name: str, commands: Collection) -> bool:
    """Whether a command, or a group of commands, has this name."""
    return name in commands.tasks or name in commands.collections


def is_word(name: str, commands: Collection) -> bool:
    """Whether an inventory of this name can have a word: dots are for groups of commands."""
    return bool(re.fullmatch(r"\w[\w-]*", name)) and not taken(name, commands)


def _own_tasks() -> Iterator[Task[Any]]:
    """Those of every module that has the shipped commands as its ``ns``, wherever they stand."""
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", {})
        ns = names.get("ns")
        if isinstance(ns, Shipped):
            shipped = list(ns.tasks.values())
            tasks = (item for item in names.values() if isinstance(item, Task))
            yield from (task for task in tasks if task not in shipped)


def _add_own(words: Words, task: Task[Any]) -> None:
    """In the place of a shipped one of that name, as with roles and templates."""
    try:
        words.add_task(task)
    except ValueError:
        raise Exit(
            f"own task {task.name}: there are commands that begin with {task.name}.\n"
            "  next: give it another name",
            code=2,
        ) from None
