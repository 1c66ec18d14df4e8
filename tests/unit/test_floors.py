"""The folders of ``nodriza`` are floors of a house: each stands on those below it.

So a change in a folder can be read without the folders above it, and what travels to a host
takes nothing along. docs/design.rst has the picture.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.conftest import ROOT

FLOORS = (
    ("errors", "files", "foreign", "ending", "alive", "wording", "source", "project", "vault"),
    ("inventory",),
    ("plan",),
    ("ssh",),
    ("report", "repository"),
    ("rollout", "lab"),
    ("release",),
    ("watch",),
    ("smoke", "backup"),
    ("change", "operate"),
    ("role", "cli", "demo", "drill", "fab"),
    ("__main__",),
)
TRAVELS = ("host", "resources", "agent")
"""To hosts. The controller imports the first two as well."""
ALONE = "application"
"""It runs in the application's own Python."""
HOUSE = ROOT / "nodriza"
ROOMS = {path.relative_to(HOUSE).parts[0].removesuffix(".py") for path in HOUSE.rglob("*.py")}


def imports(path: Path) -> Iterator[str]:
    """The rooms that a module imports when it runs."""
    tree = ast.parse(path.read_text())
    for_types = {
        id(each)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for each in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and id(node) not in for_types:
            names = node.module.split(".")
            if names == ["nodriza"]:
                yield from (alias.name for alias in node.names)
            elif names[0] == "nodriza":
                yield names[1]


def modules(room: str) -> list[Path]:
    """All of a room, or the one module."""
    return sorted((HOUSE / room).rglob("*.py")) or [HOUSE / f"{room}.py"]


def test_every_room__has_its_floor():
    there = {room for floor in (TRAVELS, *FLOORS) for room in floor} | {ALONE}
    assert ROOMS - {"__init__"} == there


@pytest.mark.parametrize("number", range(len(FLOORS)), ids=lambda n: FLOORS[n][0])
def test_room__imports_only_what_is_below_it(number):
    below = {"host", "resources"}.union(*FLOORS[:number])
    if number == 0:
        below |= set(FLOORS[0])
    upward = [
        f"{path.relative_to(ROOT)}: {name}"
        for room in FLOORS[number]
        for path in modules(room)
        for name in imports(path)
        if name not in below | {room}
    ]
    assert not upward


@pytest.mark.parametrize("number", range(len(TRAVELS)), ids=TRAVELS)
def test_what_travels__imports_nothing_that_does_not(number):
    known = set(TRAVELS[: number + 1])
    upward = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in modules(TRAVELS[number])
        for name in imports(path)
        if name not in known
    ]
    assert not upward


def test_what_runs_in_the_application__imports_nothing_else():
    assert {name for path in modules(ALONE) for name in imports(path)} <= {ALONE}


def test_looking__needs_nothing_that_changes():
    assert not [path for path in modules("watch") if "change" in imports(path)]


def test_role__imports_the_one_module_that_is_promised():
    """But for the three that a deploy is made of: they are the engine's."""
    others = {path.name for path in (ROOT / "roles").glob("*.py") if set(imports(path)) - {"role"}}
    assert others == {"build.py", "record.py", "release.py"}
