"""``fab``: Fabric's own program, with words for what it ends with a traceback.

Fabric reads the flags before the first command, and a person's own settings, before it reads a
fabfile; until then nothing of ours would be at work. From then on ``fabfile/program.py`` is.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import fabric.main
from invoke import Exit
from invoke.exceptions import ParseError, UnexpectedExit

from nodriza import foreign
from nodriza.errors import NodrizaError

LONGEST = 60
"""Characters of somebody's word that a message repeats."""


class Fab(fabric.main.Fab):  # type: ignore[misc]  # Fabric has no types
    """Refuses in words what can't be read, before there is a fabfile too."""

    @property
    def _remainder_only(self) -> bool:
        """Fabric's way to run a command on hosts that it trusts unseen: never here."""
        return False

    def print_version(self) -> None:
        """Ours, and those of what it stands on."""
        print(f"nodriza {version('nodriza')}")  # noqa: T201
        super().print_version()

    def create_config(self) -> None:
        """The settings of the system and of this person."""
        with in_words("your settings of Fabric or Invoke (~/.fabric.yaml, ~/.invoke.yaml, /etc)"):
            super().create_config()

    def parse_core(self, argv: list[str] | None) -> None:
        """The flags before the first command."""
        try:
            with in_words("this line"):
                super().parse_core(argv)
        except ParseError as error:
            found = re.search(r"<Argument: (.*?)> needed value", str(error))
            flag = max(re.findall(r"[\w-]+", found[1]), key=len) if found else ""
            what = f"--{flag} needs a value behind it" if flag else str(error)
            raise _refusal(what, "fab --help") from None
        if not (self.args.complete.value or self.core.unparsed):
            refuse_remainder(self.core.remainder)

    def load_collection(self) -> None:
        """The fabfile of this folder, or of one above."""
        root = self.args["search-root"].value
        if root and not os.path.isdir(root):  # noqa: PTH112  pathlib's raises for a long name
            raise _refusal(f"--search-root {short(root)}: there is no such folder", "leave it out")
        try:
            super().load_collection()
        except Exit as error:
            if not str(error.message).startswith("Can't find any collection"):
                raise
            name = self.args.collection.value or self.config.tasks.collection_name
            raise _refusal(
                f"there is no {short(str(name))}.py in {Path.cwd()}, nor in a folder above it",
                "cd to the folder of your cluster; nodriza init begins a new one",
            ) from None


def main() -> None:
    """The console script ``fab``; Fabric's own has the same name, and lacks what is above."""
    program = cast("Any", fabric.main.program)
    program.__class__ = Fab
    program.run()


def refuse_remainder(remainder: str) -> None:
    """What stands behind ``--`` is for Fabric's own hosts, which it trusts unseen."""
    if remainder:
        raise _refusal(
            f"nothing can stand behind --: {short(shlex.quote(remainder))}",
            "fab run 'uptime' --target NODE",
        )


@contextlib.contextmanager
def in_words(what: str) -> Iterator[None]:
    """Whatever the readers of Invoke and Fabric raise on what was typed or written is refused."""
    try:
        yield
    except (Exit, ParseError, UnexpectedExit):
        raise
    except NodrizaError as error:
        raise Exit(str(error), code=error.exit_code) from None
    except ValueError as error:
        if "invalid literal for int" not in str(error):
            raise _unread(what, error) from None
        word = str(error).partition(": ")[2]
        raise _refusal(f"{word} is not a whole number", "fab --help COMMAND") from None
    except OSError as error:
        if error.filename is None:  # of our own output: a pipe that closed, a full disk
            raise
        raise _unread(what, error) from None
    except Exception as error:  # noqa: BLE001  they are many, and none is meant for people
        raise _unread(what, error) from None


def _unread(what: str, error: Exception) -> Exit:
    if os.environ.get("INVOKE_DEBUG"):
        raise error
    return _refusal(
        f"{what} can't be read: {type(error).__name__}: {foreign.reason(error)}",
        "fab --help; INVOKE_DEBUG=1 fab … shows where it ended",
    )


def short(word: str) -> str:
    """A word of somebody's in a message: bounded, and without what moves a terminal's cursor."""
    shown = "".join(char if char.isprintable() else "?" for char in word[:LONGEST])
    return shown + ("…" if len(word) > LONGEST else "")


def _refusal(what: str, next_: str) -> Exit:
    return Exit(str(NodrizaError(what, kept="nothing was done", do=next_)), code=2)
