"""The central node's MariaDB and Redis: who may log in, and how large they are."""

from __future__ import annotations

import re

from nodriza.resources import DatabaseUser
from tests.unit.roles.made import content, remake, resources, settings


def test_each_node__may_log_in_from_its_own_address_only(three_node):
    users = resources(three_node, "server-1", DatabaseUser)
    assert sorted(user.host for user in users) == sorted(three_node.private_addresses)
    assert {user.grants for user in users} == {(("videoteca", "ALL"),)}
    assert not any("%" in user.host for user in users)


def test_database__has_a_connection_for_every_thread_of_every_child(three_node):
    from nodriza.roles.mysql import connections

    more = three_node.app.model_copy(update={"threads": three_node.app.threads + 10})
    workers = len(three_node.children) * three_node.app.most_workers
    grown = connections(remake(three_node, app=more)) - connections(three_node)
    assert grown == workers * 10 * 2  # twice: old and new workers during a reload


def test_database__leaves_memory_for_the_rest(three_node):
    text = content(three_node, "server-1", "/etc/mysql/mariadb.conf.d/60-cluster.cnf")
    pool = int(re.search(r"^innodb_buffer_pool_size = (\d+)M$", text, re.MULTILINE)[1])
    for name in ("redis.conf", "redis-cache.conf"):
        redis = content(three_node, "server-1", f"/etc/redis/{name}")
        pool += int(re.search(r"^maxmemory (\d+)mb$", redis, re.MULTILINE)[1])
    assert pool <= three_node.builder.memory_mb / 2


def test_mysql_and_redis__listen_on_the_private_network_only(three_node):
    text = content(three_node, "server-1", "/etc/mysql/mariadb.conf.d/60-cluster.cnf")
    assert "bind-address = 198.18.7.11" in settings(text)
    for name, instance in (("redis.conf", "queue"), ("redis-cache.conf", "cache")):
        redis = settings(content(three_node, "server-1", f"/etc/redis/{name}"))
        assert "bind 198.18.7.11 127.0.0.1" in redis
        assert f"aclfile /etc/redis/{instance}.acl" in redis
