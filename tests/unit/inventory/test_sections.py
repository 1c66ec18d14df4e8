"""Sections of an inventory: what a new one touches, and what follows from it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.unit.conftest import ROOT
from tests.unit.inventory.conftest import GOOD

SECTION = '''
from typing import Annotated

from pydantic import Field

from nodriza.inventory.base import Section, whole


class Backups(Section):
    """Copies of the database."""

    keep: Annotated[int, whole(1, 99)] = Field(default=7, description="Days that one is kept.")

    def check_with(self, draft, inventory):
        if self.keep == 13:
            draft.document.complain(("backups", "keep"), "is said to bring no luck")
'''
PROGRAM = """
import sys
from pathlib import Path
from nodriza.errors import InventoryError
from nodriza.inventory import load_cluster
from nodriza.inventory.schema import schema
print(schema()["definitions"]["Backups"]["properties"]["keep"]["description"])
for name in sys.argv[1:]:
    try:
        print(load_cluster(Path(name)).backups.keep)
    except InventoryError as error:
        print(*error.problems)
"""


@pytest.fixture
def with_a_new_section(tmp_path):
    """A copy of the engine with one more section: its module, and its field in the model."""
    shutil.copytree(ROOT / "nodriza", tmp_path / "nodriza")
    inventory = tmp_path / "nodriza/inventory"
    (inventory / "sections/backups.py").write_text(SECTION)
    model = (inventory / "model.py").read_text()
    model = model.replace(
        "    limits: Limits =",
        '    backups: Backups = Field(default=Backups(), description="Of rows.")\n'
        "    limits: Limits =",
        1,
    ).replace(
        "from nodriza.inventory.sections.dns",
        "from nodriza.inventory.sections.backups import Backups\n"
        "from nodriza.inventory.sections.dns",
        1,
    )
    (inventory / "model.py").write_text(model)
    return tmp_path


def test_a_new_section__is_a_module_and_a_field(with_a_new_section, write):
    texts = {
        "none": GOOD,
        "some": GOOD + "backups: {keep: 3}\n",
        "slip": GOOD + "backups: {kep: 3}\n",
        "many": GOOD + "backups: {keep: 100}\n",
        "luck": GOOD + "backups: {keep: 13}\n",
    }
    good = write(GOOD)
    names = []
    for name, text in texts.items():
        (good.parent / f"{name}.yml").write_text(text)
        names.append(f"{name}.yml")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *names],
        cwd=good.parent,
        env={**os.environ, "PYTHONPATH": str(with_a_new_section)},
        capture_output=True,
        text=True,
        check=True,
    )
    line = GOOD.count("\n") + 1
    assert done.stdout.splitlines() == [
        "Days that one is kept.",
        "7",
        "3",
        f'slip.yml:{line}:11 backups/kep: unknown key, did you mean "keep"?',
        f"many.yml:{line}:17 backups/keep: must be at most 99, not 100",
        f"luck.yml:{line}:17 backups/keep: is said to bring no luck",
    ]
