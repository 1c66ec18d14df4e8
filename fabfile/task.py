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
        local: bool = False,
        looks: Callable[[Mapping[str, Any]], bool] | None = None,
        connects: bool = False,
        interactive: bool = False,
        edits: bool = False,
        chooses: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(body, **options)
        self.about = dict(self.help)
        """What each parameter is for; Invoke takes out of ``help`` what it has read."""
        self.subject = subject
        """The parameter that says what it is about, as in ``drain:server-2`` (grammar.py)."""
        self.reads = reads
        """It changes no host and no file."""
        self.local = local
        """It changes nothing of the cluster: a file on this computer, or machines of a lab."""
        self.looks = looks
        """Whether it only looks this time, by the values of its parameters."""
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

    def arg_opts(self, name: str, default: Any, taken_names: set[str]) -> dict[str, Any]:
        """A flag of one letter is the first letter of its word, or there is none.

        Invoke takes the next letter that is free: ``-e`` was --serial of one command and
        --release of another, where Fabric's own -e is --echo.
        """
        options: dict[str, Any] = super().arg_opts(name, default, taken_names)
        first, *others = options["names"]
        options["names"] = [first, *(each for each in others if each == first[0])]
        return options

    @property
    def may_change(self) -> bool:
        """Whether it could change the cluster, its inventory or its secrets. Nobody has to say so:
        a command that says nothing of itself does."""
        return not (self.reads or self.local or self.chooses)

    def changes(self, values: Mapping[str, Any]) -> bool:
        """Whether it would change them with these values of its parameters."""
        looks = self.looks is not None and self.looks(values)
        return self.may_change and not looks and not values.get("check")

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
