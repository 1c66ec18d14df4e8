"""A command of ours, with what it promises."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from fabric.tasks import Task


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
        chooses: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(body, **options)
        self.subject = subject
        """The parameter that says what it is about, as in ``drain:server-2`` (grammar.py)."""
        self.reads = reads
        """It changes no host and no file."""
        self.checks = "check" in inspect.signature(body).parameters
        """It can be tried without being done."""
        self.connects = connects
        """It logs in to nodes."""
        self.interactive = interactive
        """A person has the terminal while it runs."""
        self.chooses = chooses
        """It is the word of an inventory."""


def is_inventory(task: object) -> bool:
    """Whether it only chooses an inventory."""
    return isinstance(task, Command) and task.chooses
