"""The reference of commands: what ``fab --help COMMAND`` prints of each."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

from invoke import Collection

from fabfile import ns
from fabfile.completion import arguments
from fabfile.examples import EXAMPLES
from fabfile.help import option


def page() -> str:
    """All of it, as reStructuredText."""
    blocks = [
        "Commands\n========\n",
        "What ``fab --help COMMAND`` prints of each. How a target is written is in"
        " ``command-line.rst``.\n",
        *(_block(name, task) for name, task in sorted(shipped())),
    ]
    return "\n".join(blocks)


def shipped(at: Collection = ns, before: str = "") -> Iterator[tuple[str, Any]]:
    """Every command by its full name."""
    for name, task in at.tasks.items():
        yield before + name, task
    for name, inner in at.collections.items():
        yield from shipped(inner, f"{before}{name}.")


def label(name: str) -> str:
    """What other pages refer to a command by."""
    return f"fab-{name}"


def _block(name: str, task: Any) -> str:
    title = f"fab {name}"
    about = plain(inspect.getdoc(task) or "")
    lines = [f".. _{label(name)}:", "", title, "-" * len(title), "", about]
    lines += ["", f".. program:: {title}", ""]
    for arg in arguments(task):
        lines += [f".. option:: {option(task, arg)}", "", f"   {plain(arg.help or '')}", ""]
    if examples := EXAMPLES.get(name):
        lines += ["::", "", *(f"   {line}" for line in examples), ""]
    return "\n".join(lines)


def plain(text: str) -> str:
    """Words for a terminal: nothing in them is markup, and no address is a link."""
    return re.sub(r"([\\*`|_@]|:(?=//))", r"\\\1", text)
