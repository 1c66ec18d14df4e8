"""A restart is a change like others: in turn, with a health check, and of nothing else."""

from __future__ import annotations

import pytest

from nodriza.errors import TargetError
from nodriza.operate import restart
from nodriza.plan.plan import plan_all
from nodriza.resources import File, Health, Service


def plans(cluster, unit=""):
    made = restart._plans(cluster, plan_all(cluster, cluster.nodes), unit)
    return {plan.node: [each.resource for each in plan.resources] for plan in made}


def test_restart__is_of_what_runs_the_application_and_children_are_asked_for_their_health(
    three_node,
):
    found = plans(three_node)
    assert list(found) == ["server-2", "server-3", "video-1"]
    mark, uwsgi, health = found["server-2"]
    assert (type(mark), mark.path) == (File, restart.MARK)
    assert (type(uwsgi), uwsgi.unit) == (Service, "uwsgi")
    assert isinstance(health, Health)
    assert [type(each) for each in found["video-1"]] == [File, Service]


def test_service__follows_the_mark_alone_which_is_another_each_time(three_node):
    (mark, uwsgi, _), (other, _, _) = (plans(three_node)["server-2"] for _ in range(2))
    assert (uwsgi.restart_on, uwsgi.reload_on) == ((mark.id,), ())
    assert mark.content != other.content
    assert uwsgi.check  # a configuration that it would refuse is not read now either


def test_unit__is_restarted_where_it_is(three_node):
    found = plans(three_node, "nginx")
    assert list(found) == ["server-2", "server-3"]
    assert [each.unit for each in found["server-2"] if isinstance(each, Service)] == ["nginx"]
    assert list(plans(three_node, "mariadb")) == ["server-1"]


def test_unit_that_is_nowhere__is_told_with_the_nearest(three_node):
    with pytest.raises(TargetError, match='no service ngnix on .*, did you mean "nginx"') as error:
        restart.restart(three_node, three_node.children, "ngnix", None)
    assert "choose from" in error.value.do
    assert "uwsgi" in error.value.do
