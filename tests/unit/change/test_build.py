"""fab deploy --build: what a release is made of is fetched, and nothing of it runs yet."""

from __future__ import annotations

import pytest

from nodriza.change import deploy as engine
from nodriza.resources import Command, Service
from nodriza.source.requirements import Requirements
from nodriza.source.tree import read_source
from nodriza.vault.store import Vault
from tests.unit.conftest import ROOT

NEEDS = Requirements("requirements.txt", "one", "uv")


@pytest.fixture
def built(three_node, tmp_path, monkeypatch):
    """The plan that the builder is sent."""
    sent = []
    monkeypatch.setattr(engine, "roll_out", lambda run, plans: sent.extend(plans) or {})
    vault = Vault(tmp_path / "v.secrets.age", tmp_path / "key", say=lambda _: None)
    source = read_source(ROOT / "examples" / "videoteca")
    engine.build(three_node, source, NEEDS, vault, report=None)
    (plan,) = sent
    return plan


def test_build__runs_nothing_with_the_application_s_variables(built, three_node):
    names = {type(each.resource).__name__ for each in built.resources}
    assert names.isdisjoint({"Static", "Preflight", "Migrations", "Health", "Served"})
    own = {three_node.app.environment_file, three_node.app.next_environment_file}
    for each in built.resources:
        assert getattr(each.resource, "env_file", "") not in own, each.resource.id
        assert not isinstance(each.resource, Service), each.resource.id


def test_build__makes_tree_and_environment(built):
    ids = [each.resource.id.partition(":")[0] for each in built.resources]
    assert {"upload", "venv"} < set(ids)
    commands = [each.resource for each in built.resources if isinstance(each.resource, Command)]
    assert [each.name for each in commands] == ["compile"]
