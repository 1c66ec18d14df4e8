"""Services with a node of their own: what follows from a line of the inventory."""

from __future__ import annotations

import re

import pytest

from nodriza.change.nodes import remove
from nodriza.errors import RoleError, TargetError
from nodriza.inventory import load_cluster
from nodriza.plan.order import in_order
from nodriza.plan.summary import summary
from nodriza.resources import DatabaseUser, File, Package, Service
from nodriza.watch.topology import draw
from tests.unit.conftest import ROOT
from tests.unit.plan.test_offers import allowed, environment, only, plans

NODES = """\
  db-1: {kind: service, private: 198.18.7.31, memory_mb: 4096}
  queue-1: {kind: service, private: 198.18.7.32}
  work-1: {kind: worker, private: 198.18.7.33, variables: {celery_queues: [mail, celery]}}
"""
CENTRAL, DB, QUEUE, WORK = "198.18.7.11", "198.18.7.31", "198.18.7.32", "198.18.7.33"
USERS = {CENTRAL, "198.18.7.12", "198.18.7.13", "198.18.7.21", WORK}


@pytest.fixture
def placed(tmp_path, monkeypatch):
    """The shipped lab with three nodes more, and with services placed."""
    monkeypatch.setenv("NODRIZA_LAB_STATE", str(tmp_path / "no-lab"))

    def make(services: str, change=str):
        text = (ROOT / "inventories/three-node.yml").read_text()
        text = text.replace("../examples/", f"{ROOT}/examples/")
        text = text.replace("\nnodes:\n", f"\nnodes:\n{NODES}")
        path = tmp_path / "inventories/mine.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(change(f"{text}\nservices:\n{services}"))
        return load_cluster(path)

    return make


BOTH = "  database: {on: db-1, memory_mb: 1024}\n  broker: {on: queue-1, memory_mb: 200}\n"


def test_database_and_broker_of_their_own__are_told_to_all_and_open_to_those_who_need_them(placed):
    all_ = plans(placed(BOTH))
    for name in ("server-1", "server-2", "video-1", "work-1"):
        told = environment(all_[name])
        assert told["DATABASE_HOST"] == DB
        assert f"@{QUEUE}:6379/" in told["CELERY_BROKER_URL"]
        assert f"@{CENTRAL}:6380/" in told["CACHE_URL"]
        assert "REDIS_URL" not in told
    assert allowed(all_["db-1"]) == {"3306": USERS}
    assert allowed(all_["queue-1"]) == {"6379": USERS}
    assert set(allowed(all_["server-1"])) == {"2049", "6380"}


def test_service__is_installed_on_its_node_and_nowhere_else(placed):
    all_ = plans(placed(BOTH))
    having = {
        package: [name for name, plan in all_.items() if package in names(plan)]
        for package in ("mariadb-server", "redis-server", "ffmpeg")
    }
    assert having == {
        "mariadb-server": ["db-1"],
        "redis-server": ["queue-1", "server-1"],
        "ffmpeg": ["video-1"],
    }
    assert {user.host for user in only(all_["db-1"], DatabaseUser)} >= USERS


def test_summary__says_where_each_service_is(placed):
    cluster = placed(BOTH)
    said = "\n".join(summary(cluster, list(plans(cluster).values())))
    assert "services share: nfs on server-1" in said
    assert "database: mysql on db-1" in said
    assert "application: uwsgi on server-2, server-3" in said


def names(plan):
    return {package.name for package in only(plan, Package)}


def text(plan, path):
    return next(file.content for file in only(plan, File) if file.path == path)


def test_memory__is_what_the_inventory_gives_it(placed):
    all_ = plans(placed(BOTH))
    conf = "/etc/mysql/mariadb.conf.d/60-cluster.cnf"
    assert re.search(r"innodb_buffer_pool_size\s*=\s*1024M", text(all_["db-1"], conf))
    assert "maxmemory 200mb" in text(all_["queue-1"], "/etc/redis/redis.conf")
    assert "maxmemory 51mb" in text(all_["server-1"], "/etc/redis/redis-cache.conf")


def test_queue_and_data__never_evict_and_the_cache_does(placed):
    all_ = plans(placed("  data: redis\n"))
    policies = {
        name: re.findall(r"^maxmemory-policy (\S+)", text(all_["server-1"], path), re.MULTILINE)
        for name, path in (
            ("queue", "/etc/redis/redis.conf"),
            ("cache", "/etc/redis/redis-cache.conf"),
            ("data", "/etc/redis/redis-data.conf"),
        )
    }
    assert policies == {"queue": ["noeviction"], "cache": ["allkeys-lru"], "data": ["noeviction"]}
    for name in ("server-1", "server-2", "video-1"):
        assert f"@{CENTRAL}:6381/" in environment(all_[name])["REDIS_URL"]


def test_redis_without_a_queue__leaves_the_package_s_own_server_off(placed):
    services = {each.unit: each for each in only(plans(placed(BOTH))["server-1"], Service)}
    assert services["redis-server@cache"].running
    assert not services["redis-server"].running
    assert not services["redis-server"].enabled


def test_worker__takes_from_its_queues_and_counts_for_the_database(placed):
    plan = plans(placed(BOTH))["work-1"]
    script = text(plan, "/usr/local/sbin/videoteca-celery-worker")
    assert "--concurrency=4 " in script
    assert script.rstrip().endswith("--include=nodriza_ready --queues=mail,celery")


def test_order__follows_the_needs(placed):
    found = in_order(placed(BOTH), [node.name for node in placed(BOTH).nodes])
    assert list(found)[:3] == ["db-1", "queue-1", "server-1"]
    assert found["server-1"] == {"db-1", "queue-1"}
    assert found["server-2"] == {"db-1", "queue-1", "server-1"}


def test_hosts__has_those_whom_a_node_asks(placed):
    hosts = text(plans(placed(BOTH))["server-2"], "/etc/hosts")
    assert re.findall(r"^198\S+ (\S+)$", hosts, re.MULTILINE) == [
        *("db-1", "queue-1", "server-1", "server-2"),
    ]


def test_share_of_its_own__has_what_is_built_and_the_others_follow_it(placed):
    cluster = placed("  share: {on: db-1}\n")
    all_ = plans(cluster)
    assert cluster.builder.name == "db-1"
    assert allowed(all_["db-1"]) == {"2049": USERS - {CENTRAL}}
    assert set(allowed(all_["server-1"])) == {"3306", "6379", "6380"}
    assert in_order(cluster, ["db-1", "server-1", "server-2"])["db-1"] == {"server-1"}


def test_beat__is_on_one_node_and_begins_anew_with_each_release(placed):
    all_ = plans(placed("  beat: {on: work-1}\n"))
    clocks = [n for n, p in all_.items() if "beat" in {s.unit for s in only(p, Service)}]
    assert clocks == ["work-1"]
    beat = next(each for each in only(all_["work-1"], Service) if each.unit == "beat")
    assert "link:/opt/videoteca/current" in beat.restart_on


def test_picture__shows_each_node_with_what_it_answers(placed):
    drawn = draw(placed(BOTH))
    for word in ("db-1", "queue-1", "work-1", "MariaDB"):
        assert f">{word}<" in drawn or f">\n      {word}<" in drawn or word in drawn


def test_node_of_a_service__can_t_be_removed(placed):
    cluster = placed(BOTH)

    class Rotation:
        def __init__(self):
            self.cluster = cluster

    with pytest.raises(TargetError, match="db-1 does what others need: database") as told:
        remove(Rotation(), cluster.node("db-1"), lambda *_: pytest.fail("a run"))
    line = cluster.path.read_text().splitlines().index("  database: {on: db-1, memory_mb: 1024}")
    assert f"mine.yml:{line + 1}" in str(told.value)


@pytest.mark.parametrize(
    ("services", "change", "words", "line"),
    [
        (
            "  database: {engine: redis, on: db-1}\n",
            ("", ""),
            'no role of db-1 offers "database": its roles are base, firewall, redis',
            "  database: {engine: redis, on: db-1}",
        ),
        (
            "  database: {on: db-1}\n",
            ("memory_mb: 4096}", "roles: [base]}"),
            'no role of db-1 offers "database": its roles are base',
            "  database: {on: db-1}",
        ),
        (
            "  database: {on: db-1}\n",
            ("private: 198.18.7.32}", "private: 198.18.7.32, roles: [default, mysql]}"),
            'mysql on db-1 and mysql on queue-1 both offer "database"',
            "  queue-1: {kind: service, private: 198.18.7.32, roles: [default, mysql]}",
        ),
        (
            "  application: nginx\n",
            ("", ""),
            'no role of server-2 offers "application": the role nginx offers web',
            "  application: nginx",
        ),
        (
            "  cache: {on: db-1}\n",
            ("celery_queues: [mail, celery]", "needs: [databse]"),
            'work-1 needs "databse", and no node offers that, did you mean "database"?',
            "  work-1: {kind: worker, private: 198.18.7.33, variables: {needs: [databse]}}",
        ),
    ],
)
def test_misuse__is_told_with_its_line_before_any_host_is_touched(
    placed, services, change, words, line
):
    cluster = placed(services, lambda text: text.replace(*change) if change[0] else text)
    with pytest.raises(RoleError) as told:
        plans(cluster)
    number = cluster.path.read_text().splitlines().index(line) + 1
    assert words in str(told.value)
    assert f"mine.yml:{number}:" in str(told.value)
    assert "no host was touched" in str(told.value)
