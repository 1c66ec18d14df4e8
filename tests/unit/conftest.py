"""Unit tests have no host and no network: a socket to another machine is a mistake."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine takes its time. An example that was slow is no mistake, and would be taken for
# the death of a planted fault (tests/mutants).
settings.register_profile("nodriza", deadline=None)
settings.load_profile("nodriza")
ROOT = Path(__file__).parents[2]


def needs(program, package):
    """Skip, with what was not run and why, where a real server is asked and it is not here."""
    if not shutil.which(program):
        pytest.skip(f"not run: {program} is not in PATH. Next: apt-get install {package}")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    def refuse(self, address, *args):
        if self.family != socket.AF_UNIX and address[0] != "127.0.0.1":
            raise AssertionError(f"a unit test connects to {address}")
        return connect(self, address, *args)

    connect = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def three_node(monkeypatch, tmp_path):
    """The shipped lab inventory, as it is on a computer where no lab is up."""
    from nodriza.inventory import load_cluster

    monkeypatch.setenv("NODRIZA_LAB_STATE", str(tmp_path / "no-lab"))
    return load_cluster(ROOT / "inventories" / "three-node.yml")
