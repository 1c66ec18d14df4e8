"""A cluster that is backed up, and the program that its nodes get for it."""

from __future__ import annotations

import importlib
import sys

import pytest

from nodriza.inventory.sections.backup import Backup
from tests.unit.conftest import ROOT

MODULES = ("store", "run", "trial", "restore", "tell")


def with_backup(cluster, **said):
    """As if its inventory had the section."""
    nodes = tuple(
        node.model_copy(update={"roles": (*node.roles, "backup")}) if node.builds else node
        for node in cluster.nodes
    )
    section = Backup(**{"to": "/mnt/backup", **said})
    return cluster.model_copy(update={"backup": section, "nodes": nodes})


@pytest.fixture
def backed_up(three_node):
    return with_backup(three_node)


@pytest.fixture(scope="session")
def program():
    """Its modules, by their names; they travel together and import each other so."""
    folder, before = str(ROOT / "templates" / "backup"), sys.dont_write_bytecode
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    try:
        yield {name: importlib.import_module(name) for name in MODULES}
    finally:
        sys.path.remove(folder)
        sys.dont_write_bytecode = before
        for name in MODULES:
            sys.modules.pop(name, None)
