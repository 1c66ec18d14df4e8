"""``protected: true`` in an inventory: what would change that cluster is asked for its name."""

from __future__ import annotations

import sys
from pathlib import Path

from .refusal import refusal, short

YES = "the cluster's name, which a protected inventory asks for"
_assented: set[Path] = set()
"""Inventories whose name was given on this line: once is enough for several commands."""


def refuse_unasked(path: Path, yes: str) -> None:
    """Raises ``Exit`` unless the inventory is not protected, or a person gives its name.

    ``yes``: what was typed behind ``--yes``; also refused where it is another cluster's.
    """
    if path in _assented or not (yes or _may_be_protected(path)):
        return
    from nodriza.inventory import load_cluster

    cluster = load_cluster(path)
    name = cluster.name
    if yes and yes != name:
        raise refusal(
            f"--yes {short(yes)}: this cluster is {name}", f"--yes {name}, if it is meant"
        )
    if cluster.protected and not yes:
        _ask(name)
    _assented.add(path)


def _may_be_protected(path: Path) -> bool:
    """Without reading it as YAML, which the command does anyway: most have no such word."""
    try:
        return b"protected" in path.read_bytes()
    except OSError:
        return False  # the command says what is wrong with it


def _ask(name: str) -> None:
    if not sys.stdin.isatty():
        raise refusal(
            f"{name} is protected: this would change it, and nobody is here to be asked",
            f"the same command with --yes {name}",
        )
    # Not to stdout, which may go to a file.
    sys.stderr.write(f"{name} is protected, and this would change it. Its name, to go on: ")
    sys.stderr.flush()
    answer = sys.stdin.readline().strip()
    if answer != name:
        raise refusal(
            f"that is not its name: {short(answer)}" if answer else "no name was given",
            f"type {name} when you are asked, or --yes {name}",
        )
