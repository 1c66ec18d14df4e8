"""The application's variables are tried before anybody who serves has them."""

from __future__ import annotations

import pytest

from nodriza.change import provision as module
from nodriza.change.provision import provision
from nodriza.inventory import load_cluster
from nodriza.release.variables import tried_with
from nodriza.resources import Preflight, Trial
from tests.unit.conftest import ROOT

FILE = "file:/etc/videoteca/videoteca.env"
TRIAL = "trial:/opt/videoteca/current"


class Vault:
    def ensure(self, names, *, keep):
        return dict.fromkeys(names, "x" * 40)


@pytest.fixture
def plans(three_node, monkeypatch):
    """What a provision sends."""
    sent = {}
    monkeypatch.setattr(
        module, "roll_out", lambda run, plans: sent.update({p.node: p for p in plans})
    )
    provision(three_node, three_node.nodes, Vault(), None)
    return sent


def test_provision__tries_the_variables_of_a_child_just_before_they_change(plans):
    for name in ("server-2", "server-3"):
        ids = [planned.resource.id for planned in plans[name].resources]
        assert ids[ids.index(FILE) - 1] == TRIAL
        assert ids.index(TRIAL) < ids.index("service:uwsgi")
        one, file = (planned.resource for planned in plans[name].resources[ids.index(TRIAL) :][:2])
        assert one.environment == file.content
        assert one.path == one.current
        assert one.asked[0] == ("/healthz", 0)


def test_provision__is_of_whole_plans(plans):
    """What they do not have any more is taken away."""
    assert all(plan.whole for plan in plans.values())


def test_provision__tries_nothing_where_nobody_serves(plans):
    for name in ("server-1", "video-1"):
        assert not [p for p in plans[name].resources if isinstance(p.resource, Trial)]


def test_variable__has_the_line_of_the_inventory(tmp_path, monkeypatch):
    text = (ROOT / "inventories/three-node.yml").read_text()
    text = text.replace("app:\n", "app:\n  environment:\n    SHADE: dark\n    SIZE: '7'\n")
    path = tmp_path / "other.yml"
    path.write_text(text.replace("source: ../", f"source: {ROOT}/"))
    line = text.splitlines().index("    SHADE: dark") + 1
    cluster = load_cluster(path)
    one = Trial("/r", "/current", "wsgi", "host")
    ((tried, _),) = tried_with(cluster, [(one, "here")], [])
    assert tried.places == (("SHADE", f"other.yml:{line}"), ("SIZE", f"other.yml:{line + 1}"))


def test_check__asks_a_release_with_the_variables_that_come_with_it(three_node):
    from nodriza.change.deploy import build_plan
    from nodriza.release.release import Release

    resources = [p.resource for p in build_plan(three_node, Release("new", venv="e")).resources]
    (one,) = [each for each in resources if isinstance(each, Preflight)]
    assert one.environment == next(each.content for each in resources if each.id == FILE)
