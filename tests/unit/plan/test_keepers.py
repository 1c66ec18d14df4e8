"""Which node keeps the data of a job, and who is told of it."""

import dataclasses

from nodriza.plan.keepers import keepers, whole
from nodriza.plan.plan import Plan
from nodriza.rollout.moved import not_moved
from tests.unit.conftest import ROOT


def test_keepers__are_those_that_have_data_and_no_cache(three_node):
    assert keepers(three_node) == {
        "share": "nfs_server on server-1",
        "database": "mysql on server-1",
        "broker": "redis on server-1",
    }


def test_whole_plan__names_those_that_its_node_does_or_needs(three_node):
    for plan in whole(three_node, (Plan("server-1", ()), Plan("server-2", ()))):
        assert plan.whole
        assert plan.uses == ("share", "database", "broker")
        assert plan.keepers == keepers(three_node)


def test_whole_plan__is_made_nowhere_else():
    said = "whole=" + "True"
    folders = (ROOT / "nodriza", ROOT / "fabfile", ROOT / "roles")
    where = [
        path for folder in folders for path in folder.rglob("*.py") if said in path.read_text()
    ]
    assert [path.name for path in where] == ["keepers.py"]


def test_message__says_where_the_data_is_and_what_to_type(three_node):
    (plan,) = whole(three_node, [Plan("server-2", ())])
    plan = dataclasses.replace(plan, keepers={"database": "mysql on db-1"})
    error = not_moved(three_node, plan, {"database": "mysql on server-1"})
    assert "mysql on server-1 has the data, and mysql on db-1 is to do it" in error.what
    assert error.where.startswith("server-2, ")
    assert error.kept == "nothing was changed on this node, and it goes on as before"
    assert error.do.endswith("fab provision --moved database")
