"""Kinds of nodes are data: no other module knows one by its name."""

from __future__ import annotations

import ast
import re
from typing import get_args

from nodriza.inventory.kinds import GROWING, KINDS, ONE, SERVING, WORDS, Kind
from nodriza.inventory.sections.kinds import Kinds
from nodriza.inventory.targets import resolve_target
from tests.unit.conftest import ROOT

HERE = ROOT / "nodriza/inventory/kinds.py"


def texts(path):
    """The constants of a module, and what is compared in a template."""
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
    else:
        yield from re.findall(r"""{[{%].*?["'](\w+)["']""", path.read_text())


def test_no_other_module__knows_a_kind_by_its_name():
    found = []
    for folder in ("nodriza", "fabfile", "roles", "templates"):
        for path in [*(ROOT / folder).rglob("*.py"), *(ROOT / folder).rglob("*.j2")]:
            # What travels to hosts knows no inventory: "service" is a noun there.
            if path != HERE and path.parent.name not in ("agent", "resources", "host"):
                found += [f"{path.relative_to(ROOT)}: {t}" for t in texts(path) if t in KINDS]
    assert not found


def test_kinds__have_their_word_and_their_key():
    assert list(KINDS) == list(get_args(Kind)) == list(Kinds.model_fields)


def test_kinds_of_which_there_is_one__do_not_grow_and_are_nobodys_default():
    assert [name for name, about in KINDS.items() if about.one] == [*ONE]
    assert SERVING not in ONE
    assert not {*ONE} & {*GROWING}


def test_each_word__means_the_nodes_of_its_kind(three_node):
    for word, kinds in WORDS.items():
        meant = tuple(node for node in three_node.nodes if node.kind in kinds)
        if meant:
            assert resolve_target(three_node, word) == meant
    serving = {name for name, about in KINDS.items() if about.serves}
    assert {*WORDS["server-n"]} == {*WORDS["children"]} == serving
