"""fab env: what the application is told, from where, and no secret."""

from __future__ import annotations

import pytest

from nodriza.errors import TargetError
from nodriza.inventory import load_cluster
from nodriza.watch.variables import variables
from tests.unit.conftest import ROOT


@pytest.fixture
def cluster(monkeypatch, tmp_path):
    monkeypatch.setenv("NODRIZA_LAB_STATE", str(tmp_path / "no-lab"))
    text = (ROOT / "inventories" / "three-node.yml").read_text()
    text = text.replace("../examples/", f"{ROOT}/examples/").replace(
        "  smoke: smoke.py\n",
        "  smoke: smoke.py\n  environment:\n    LEVEL: 'a \"b\" $c'\n  secrets: [API_KEY]\n",
    )
    path = tmp_path / "mine.yml"
    path.write_text(text)
    return load_cluster(path)


def test_each_variable__has_its_origin_and_no_secret_its_value(cluster):
    found = {each.name: each for each in variables(cluster, cluster.node("server-2"))}
    assert found["LEVEL"].value == 'a "b" $c'
    assert found["LEVEL"].origin.endswith("mine.yml:26")
    assert found["API_KEY"].value == "‹secret:api_key›"
    assert found["API_KEY"].origin.endswith("mine.yml:27, secrets.set api_key")
    assert found["DATABASE_PASSWORD"].value == "‹secret:mysql_app›"
    assert found["DATABASE_PASSWORD"].origin == "database: MariaDB on server-1"
    assert found["MEDIA_ROOT"].origin == "nodriza"


def test_node_without_the_application__is_told(cluster):
    node = cluster.node("video-1").model_copy(update={"roles": ("base",)})
    with pytest.raises(TargetError, match="video-1 does not run videoteca: it is told nothing"):
        variables(cluster, node)
