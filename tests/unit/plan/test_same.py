"""A variable of the operator's may be another name for one of the cluster's."""

from __future__ import annotations

import pytest

from nodriza.errors import RoleError
from nodriza.host.env_file import parse_environment
from nodriza.plan.plan import plan_node
from nodriza.resources import File


def told(cluster, **environment):
    app = cluster.app.model_copy(update={"environment": environment})
    cluster = cluster.model_copy(update={"app": app})
    plan = plan_node(cluster.node("server-2"), cluster)
    path = cluster.app.environment_file
    (file,) = (
        each.resource
        for each in plan.resources
        if isinstance(each.resource, File) and each.resource.path == path
    )
    return parse_environment(str(file.content))


@pytest.mark.parametrize(
    "name",
    ["DATABASE_HOST", "DATABASE_PASSWORD", "DATABASE_URL", "DJANGO_SECRET_KEY", "MEDIA_ROOT"],
)
def test_dollar__is_the_value_of_that_name(three_node, name):
    found = told(three_node, OTHER=f"${name}")
    assert found["OTHER"] == found[name] != ""


@pytest.mark.parametrize("value", ["$5", "a$DATABASE_HOST", "$DATABASE_HOST/x", "$", "$lower"])
def test_dollar__within_other_text_is_text(three_node, value):
    assert told(three_node, PRICE=value)["PRICE"] == value


def test_name__that_the_cluster_does_not_give_is_refused_with_the_line(three_node):
    with pytest.raises(RoleError) as refused:
        told(three_node, DB_HOST="$DATABSE_HOST")
    assert "did you mean $DATABASE_HOST?" in str(refused.value)
    assert "no host was touched" in str(refused.value)
    with pytest.raises(RoleError, match="gives no such variable"):
        told(three_node, STATIC="$STATIC_ROOT")
