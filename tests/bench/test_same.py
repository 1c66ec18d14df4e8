"""The peers do what this project's plan says, no less and no more."""

from pathlib import Path

import pytest
import yaml

from bench.cluster import inventory
from bench.same import Thing, of_ansible, of_plan, of_pyinfra
from nodriza.inventory import load_cluster
from nodriza.plan.plan import plan_all


@pytest.fixture
def plan(tmp_path: Path) -> set[Thing]:
    """What a child shall be."""
    path = tmp_path / "inventories/one.yml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump(inventory(1)))
    cluster = load_cluster(path)
    return set(of_plan(plan_all(cluster, cluster.children)[0]))


def test_the_playbook_has_all_that_the_plan_has_and_nothing_else(plan: set[Thing]) -> None:
    assert set(of_ansible()) == plan


def test_the_deploy_has_all_that_the_plan_has_and_nothing_else(plan: set[Thing]) -> None:
    assert set(of_pyinfra()) == plan


def test_nothing_is_there_twice() -> None:
    for things in (list(of_ansible()), list(of_pyinfra())):
        assert len(things) == len(set(things))
