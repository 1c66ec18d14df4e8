"""``services``: which program does a job, and on which node; told in one line."""

from __future__ import annotations

import pytest

from nodriza.errors import TargetError
from nodriza.inventory import load_cluster
from nodriza.inventory.targets import resolve_target
from tests.unit.inventory.conftest import GOOD

NODES = """\
  db-1: {kind: service, private: 10.0.0.21}
  queue-1: {kind: service, private: 10.0.0.22}
  work-1: {kind: worker, private: 10.0.0.23}
"""


MORE = "  server-3: {kind: child, private: 10.0.0.13}\n"


@pytest.fixture
def placed(write):
    """A cluster with some services placed, and nodes for them."""

    def make(services: str, celery: str = ""):
        text = f"{GOOD}{NODES}services:\n{services}"
        with_celery = text.replace("app:\n", f"app:\n  celery: {celery}\n")
        return load_cluster(write(with_celery if celery else text))

    return make


def test_without_a_line__everything_is_on_the_central_node(write):
    cluster = load_cluster(write(GOOD))
    assert {(name, each.engine, each.on) for name, each in cluster.services.items()} == {
        ("share", "nfs", "server-1"),
        ("database", "mysql", "server-1"),
        ("broker", "redis", "server-1"),
        ("cache", "redis", "server-1"),
        ("application", "uwsgi", ""),
    }


def test_node_of_a_service__has_its_role_and_the_central_one_has_it_no_more(placed):
    cluster = placed("  database: {on: db-1}\n  broker: {on: queue-1}\n")
    assert cluster.node("db-1").roles == ("base", "firewall", "mysql")
    assert cluster.node("queue-1").roles == ("base", "firewall", "redis")
    central = cluster.node("server-1")
    assert central.roles == ("base", "firewall", "nfs_server", "redis", "app")
    assert cluster.services_on(central, "redis") == ("cache",)
    assert cluster.services_on(cluster.node("queue-1"), "redis") == ("broker",)


def test_share__takes_along_what_needs_root_on_it(placed):
    cluster = placed("  share: {on: db-1}\n")
    assert cluster.node("db-1").roles == ("base", "firewall", "nfs_server", "app")
    assert cluster.builder.name == "db-1"
    assert cluster.node("server-1").roles == ("base", "firewall", "mysql", "redis")


def test_node_with_visitors__may_do_a_service_as_well(placed):
    roles = placed("  cache: {on: server-2}\n").node("server-2").roles
    assert roles == ("base", "firewall", "nfs_client", "redis", "app", "uwsgi", "nginx")


def test_beat__runs_where_the_application_is(placed):
    cluster = placed("  beat: {on: db-1}\n", celery="shop")
    assert cluster.node("db-1").roles == ("base", "firewall", "nfs_client", "app", "beat")
    assert placed("  beat: beat\n", celery="shop").node("server-1").roles[-2:] == ("app", "beat")


def test_worker__has_no_ffmpeg_and_more_tasks_at_once(placed):
    worker = placed("  database: mysql\n").node("work-1")
    assert worker.roles == ("base", "firewall", "nfs_client", "app", "celery")
    assert worker.variables["celery_concurrency"] == 4


def test_word__is_short_for_its_engine(write, tmp_path):
    (tmp_path / "roles").mkdir(exist_ok=True)
    (tmp_path / "roles/postgresql.py").write_text("")
    (tmp_path / "roles/gunicorn.py").write_text("")
    text = f"{GOOD}services: {{database: postgresql, application: {{engine: gunicorn}}}}\n"
    cluster = load_cluster(write(text))
    assert "postgresql" in cluster.node("server-1").roles
    assert "gunicorn" in cluster.node("server-2").roles
    assert "uwsgi" not in cluster.node("server-2").roles


def test_service__is_a_word_for_its_nodes(placed):
    cluster = placed("  database: {on: db-1}\n")
    for word, names in {
        "database": ["db-1"],
        "broker": ["server-1"],
        "share,cache": ["server-1"],
        "services": ["db-1", "queue-1"],
        "workers": ["work-1"],
    }.items():
        assert [node.name for node in resolve_target(cluster, word)] == names, word
    assert resolve_target(cluster, "application") == cluster.children
    with pytest.raises(TargetError, match="does that"):
        resolve_target(cluster, "data")


def test_service_by_hand__is_found_by_its_role(placed, write):
    text = GOOD.replace("nodes:\n", "kinds: {central: {roles: [base]}}\nnodes:\n")
    node = "  db-1: {kind: service, private: 10.0.0.21, roles: [default, mysql]}\n"
    cluster = load_cluster(write(text + node))
    assert [node.name for node in resolve_target(cluster, "database")] == ["db-1"]


@pytest.mark.parametrize(
    ("services", "place", "words"),
    [
        ("database: {on: db-2}", "database/on", 'no node is called "db-2", did you mean "db-1"?'),
        ("database: mysqll", "database/engine", 'no role "mysqll", did you mean "mysql"?'),
        ("database: {engine: mysqll}", "database/engine", 'no role "mysqll"'),
        ("share: nfs", "share/engine", "write it as share: {engine: nfs}"),
        ("application: {on: db-1}", "application/on", "so it has no node"),
        ("share: {memory_mb: 64}", "share/memory_mb", "no limit can be set"),
        ("databas: mysql", "databas", 'unknown key, did you mean "database"?'),
        ("broker: {engin: redis}", "broker/engin", 'unknown key, did you mean "engine"?'),
        ("broker: 5", "broker", "must have keys and values of its own, not 5"),
        ("cache: {memory_mb: 3}", "cache/memory_mb", "must be at least 32"),
        ("beat: beat", "beat", "the application has no Celery"),
        (
            "database: {on: db-1, memory_mb: 2048}",
            "database/memory_mb",
            "db-1 has 1024 MiB, and its services are given 2048",
        ),
        (
            "broker: {memory_mb: 600}\n  cache: {memory_mb: 600}",
            "cache/memory_mb",
            "server-1 has 1024 MiB, and its services are given 1200",
        ),
        ("data: {on: DB}", "data/on", "must be the name of one node"),
    ],
)
def test_misuse__is_told_with_its_line(mistakes, services, place, words):
    text = f"{GOOD}{NODES}services:\n  {services}\n"
    line = len(text.splitlines())
    found = "\n".join(mistakes(text))
    assert found.startswith(f"{line}:")
    assert f"services/{place}: " in found
    assert words in found


@pytest.mark.parametrize(
    ("kinds", "services", "line"),
    [
        ("child: {roles: [default, beat]}", "", "kinds/child/roles"),
        ("worker: {roles: [default, beat]}", "services: {beat: {on: db-1}}", "kinds/worker/roles"),
    ],
)
def test_second_clock__is_told_with_its_line(mistakes, kinds, services, line):
    found = "\n".join(mistakes(f"{GOOD}{NODES}{MORE}kinds:\n  {kinds}\n{services}\n"))
    assert line in found
    assert "there may be one beat in a cluster" in found


def test_one_clock_in_two_ways__is_one(write):
    both = "kinds: {central: {roles: [default, beat]}}\nservices: {beat: beat}\n"
    good = GOOD.replace("app:\n", "app:\n  celery: shop\n")
    assert load_cluster(write(good + both)).node("server-1").roles.count("beat") == 1
