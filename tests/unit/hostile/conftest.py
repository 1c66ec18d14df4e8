"""Three honest hosts beside one that says whatever a test likes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from nodriza.inventory import Cluster
from tests.unit.hostile.liar import Connection, Speech, honest

LIAR = "video-1"
HONEST = ("server-1", "server-2", "server-3")
MOVES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


class Ways:
    """Every node is reached at once; one of them lies."""

    def __init__(self, speech: Speech, **options: Any) -> None:
        self.speech, self.options = speech, options

    def take(self, node: Any) -> Connection:
        return Connection(self.speech, **self.options) if node.name == LIAR else Connection(honest)


@pytest.fixture
def lying(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the liar say something from now on."""

    def lie(speech: Speech, **options: Any) -> None:
        ways = Ways(speech, **options)
        monkeypatch.setattr("nodriza.rollout.run.Connections", lambda _: ways)
        monkeypatch.setattr("nodriza.ssh.commands.connect", lambda node, _: ways.take(node))

    return lie


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    from nodriza.inventory import load_cluster
    from tests.unit.conftest import ROOT

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NODRIZA_LAB_STATE", str(tmp_path_factory.mktemp("none") / "no-lab"))
        return load_cluster(ROOT / "inventories" / "three-node.yml")


def shown(text: str) -> str:
    """As a terminal would have it; nothing in it may move a cursor."""
    assert not MOVES.search(text)
    return text
