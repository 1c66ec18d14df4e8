"""A command of ours, with what it promises."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

from fabric.tasks import Task
from invoke import Context

from .kinds import Kind


class Command(Task):  # type: ignore[misc]  # Fabric has no types
    """A task that can say what it is about and what it does to the world."""

    def __init__(
        self,
        body: Callable[..., None],
        *,
        subject: str = "",
        reads: bool = False,
        connects: bool = False,
        interactive: bool = False,
        edits: bool = False,
        chooses: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(body, **options)
        self.subject = subject
        """The parameter that says what it is about, as in ``drain:server-2`` (grammar.py)."""
        self.reads = reads
        """It changes no host and no file."""
        self.kinds = dict(_kinds(body))
        """What may stand behind a flag, by the name of its parameter."""
        self.edits = edits
        """It writes the inventory, or what lies beside it."""
        self.checks = "check" in inspect.signature(body).parameters
        """It can be tried without being done."""
        self.connects = connects
        """It logs in to nodes."""
        self.interactive = interactive
        """A person has the terminal while it runs."""
        self.chooses = chooses
        """It is the word of an inventory."""

    def written(self, values: Mapping[str, Any]) -> list[str]:
        """The flags whose files it would write."""
        kinds = self.kinds
        return [flag_of(name) for name, kind in kinds.items() if kind.writes and values.get(name)]


def _kinds(body: Callable[..., None]) -> typing.Iterator[tuple[str, Kind]]:
    """Of each parameter that takes a value; one without a kind is refused by nobody."""
    for name, hint in typing.get_type_hints(body, include_extras=True).items():
        found = [each for each in getattr(hint, "__metadata__", ()) if isinstance(each, Kind)]
        if found:
            yield name, found[0]
        elif hint not in (bool, Context, type(None)):
            raise TypeError(f"{body.__qualname__}: {name} needs a kind (fabfile/kinds.py)")


def flag_of(name: str) -> str:
    """``memory_mb`` as it is typed."""
    return "--" + name.replace("_", "-")


def is_inventory(task: object) -> bool:
    """Whether it only chooses an inventory."""
    return isinstance(task, Command) and task.chooses
