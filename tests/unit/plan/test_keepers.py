"""Which node keeps the data of a job, and who is told of it."""

from nodriza.plan.keepers import keepers, with_keepers
from nodriza.plan.plan import Plan
from nodriza.rollout.moved import not_moved


def test_keepers__are_those_that_have_data_and_no_cache(three_node):
    assert keepers(three_node) == {
        "share": "nfs_server on server-1",
        "database": "mysql on server-1",
        "broker": "redis on server-1",
    }


def test_plan__names_those_that_its_node_does_or_needs(three_node):
    known = keepers(three_node)
    for name in ("server-1", "server-2"):
        plan = with_keepers(Plan(name, ()), three_node, known)
        assert plan.uses == ("share", "database", "broker")
        assert plan.keepers == known


def test_message__says_where_the_data_is_and_what_to_type(three_node):
    plan = with_keepers(Plan("server-2", ()), three_node, {"database": "mysql on db-1"})
    error = not_moved(three_node, plan, {"database": "mysql on server-1"})
    assert "mysql on server-1 has the data, and mysql on db-1 is to do it" in error.what
    assert error.where.startswith("server-2, ")
    assert error.kept == "nothing was changed on this node, and it goes on as before"
    assert error.do.endswith("fab provision --moved database")
