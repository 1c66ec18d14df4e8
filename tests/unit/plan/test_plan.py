"""From roles to a plan: pure, ordered, with an origin for every line."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from nodriza.errors import NodrizaError, RoleError, TemplateError
from nodriza.plan.plan import find_role, make_plan, plan_node, with_origin
from nodriza.plan.render import Renderer, template
from nodriza.resources import File, Package, Service
from tests.unit.conftest import ROOT


def planned(declared, cluster, folders):
    items = ((item, "roles/x.py:1") for item in declared)
    return make_plan(items, cluster.builder, cluster, Renderer(folders))


def test_every_node__gets_a_plan_without_a_host(three_node):
    for node in three_node.nodes:
        plan = plan_node(node, three_node)
        assert len(plan.resources) > 10
        assert json.loads(json.dumps(plan.to_data()))


def test_plan__is_the_same_bytes_whatever_the_hash_seed():
    program = (
        "import json; from pathlib import Path;"
        "from nodriza.inventory import load_cluster; from nodriza.plan.plan import plan_node;"
        f"c = load_cluster(Path('{ROOT}/inventories/three-node.yml'));"
        "print(json.dumps([plan_node(n, c).to_data() for n in c.nodes]))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "NODRIZA_LAB_STATE": "/nonexistent"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_own_role__wins_over_the_shipped_one_as_it_is_now(three_node, tmp_path):
    """Run once for all nodes, and anew as soon as somebody has changed it."""
    own = tmp_path / "roles" / "redis.py"
    own.parent.mkdir()
    cluster = three_node.model_copy(update={"path": tmp_path / "inventories/three-node.yml"})
    shipped = find_role("redis", cluster)
    own.write_text("def redis(node, cluster): ...\n")
    first = find_role("redis", cluster)
    assert first is not shipped
    assert find_role("redis", cluster) is first
    own.write_text("def redis(node, cluster): return ()\n")
    os.utime(own, (0, 0))  # the clock of a file system may tick slowly
    assert find_role("redis", cluster) is not first
    own.unlink()
    assert find_role("redis", cluster) is shipped


def test_own_role_that_lacks_a_file__is_a_mistake_and_not_the_shipped_one(three_node, tmp_path):
    own = tmp_path / "roles" / "redis.py"
    own.parent.mkdir()
    own.write_text("words = open('/no/such/file').read()\n")
    cluster = three_node.model_copy(update={"path": tmp_path / "inventories/three-node.yml"})
    with pytest.raises(RoleError, match="No such file") as error:
        plan_node(cluster.builder, cluster)
    assert error.value.where == f"{own}:1"


def test_origin__is_the_line_that_yields_through_helper_generators():
    def helper():
        yield Package("a")

    def role():
        yield from helper()
        yield Package("b")

    origins = [origin for _, origin in with_origin(role())]
    here = helper.__code__.co_firstlineno
    assert origins == [
        f"tests/unit/plan/test_plan.py:{here + 1}",
        f"tests/unit/plan/test_plan.py:{here + 5}",
    ]


def test_same_resource_twice__counts_once(three_node):
    plan = planned([Package("a"), Package("b"), Package("a")], three_node, [])
    assert [p.resource.id for p in plan.resources] == ["package:a", "package:b"]


def test_two_different_resources_of_one_name__are_refused(three_node):
    with pytest.raises(NodrizaError, match="declared twice, differently"):
        planned([File("/a", "1"), File("/a", "2")], three_node, [])


def test_reference_to_nothing__is_refused(three_node):
    with pytest.raises(NodrizaError, match="reload_on names file:/nowhere"):
        planned([Service("web", reload_on=("file:/nowhere",))], three_node, [])


def test_undefined_variable__is_told_with_the_template_s_line(three_node, tmp_path):
    (tmp_path / "a.j2").write_text("fine\n{{ nobody }}\n")
    with pytest.raises(TemplateError) as error:
        planned([template("a.j2", to="/a")], three_node, [tmp_path])
    assert error.value.where == f"{tmp_path}/a.j2:2"
    assert "'nobody' is undefined" in str(error.value)


def test_none_in_a_template__is_an_error(three_node, tmp_path):
    (tmp_path / "a.j2").write_text("\n\nkey = {{ value }}\n")
    with pytest.raises(TemplateError, match="a value is None") as error:
        planned([template("a.j2", to="/a", value=None)], three_node, [tmp_path])
    assert error.value.where == f"{tmp_path}/a.j2:3"


def test_syntax_error__is_told_with_the_template_s_line(three_node, tmp_path):
    (tmp_path / "a.j2").write_text("\n{% if %}\n")
    with pytest.raises(TemplateError) as error:
        planned([template("a.j2", to="/a")], three_node, [tmp_path])
    assert error.value.where == f"{tmp_path}/a.j2:2"


def test_secret__is_a_token_in_the_plan_and_named_by_it(three_node, tmp_path):
    (tmp_path / "a.j2").write_text("password = {{ secret('redis') }}\n")
    plan = planned([template("a.j2", to="/a")], three_node, [tmp_path])
    assert plan.secrets == {"redis"}
    assert "‹secret:redis›" in plan.to_data()[0]["content"]


def test_user_s_folder__wins_over_the_shipped_one(three_node, tmp_path):
    for name in ("mine", "shipped"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.j2").write_text(name)
    folders = [tmp_path / "mine", tmp_path / "shipped"]
    plan = planned([template("a.j2", to="/a")], three_node, folders)
    assert plan.resources[0].resource.content == "mine"
