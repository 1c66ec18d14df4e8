"""What waits in the queues: asked of a real Redis, in the role's own words."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from nodriza.roles.redis import queue_at

from nodriza.operate import queue
from nodriza.operate.queue import Look, Waiting
from nodriza.plan.offers import links
from tests.unit.roles.made import remake

PASSWORD = "secret word"


class Redis:
    """A server of its own, with an administrator as the role makes one."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.admin = folder / "admin.env"
        self.admin.write_text(f'REDISCLI_AUTH="{PASSWORD}"\n')
        accounts = folder / "users.acl"
        accounts.write_text(
            f"user default on nopass ~* &* +@all\nuser admin on #{_hash()} ~* &* +@all\n"
        )
        self.queue = queue_at(self.port, "default", str(self.admin))
        argv = ["redis-server", "--port", str(self.port), "--save", "", "--bind", "127.0.0.1"]
        self.process = subprocess.Popen(
            [*argv, "--aclfile", str(accounts), "--dir", str(folder)], stdout=subprocess.DEVNULL
        )

    def do(self, *words: str) -> str:
        argv = ["redis-cli", "-p", str(self.port), *words]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()

    def run(self, line: str, *words: str) -> list[str]:
        argv = ["sh", "-c", line, "sh", *words]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()


def _hash() -> str:
    import hashlib

    return hashlib.sha256(PASSWORD.encode()).hexdigest()


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not here: apt install redis-server")
    server = Redis(tmp_path_factory.mktemp("redis"))
    try:
        for _ in range(100):
            with socket.socket() as line:
                if not line.connect_ex(("127.0.0.1", server.port)):
                    break
            time.sleep(0.05)
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def found(redis: Redis) -> Look:
    return queue.read(redis.run(redis.queue.lengths))


def task(**properties: object) -> str:
    return json.dumps({"body": "e30=", "headers": {"task": "x"}, "properties": properties})


def test_lengths__are_of_queues_with_all_their_priorities_and_of_nothing_else(redis):
    redis.do("FLUSHALL")
    redis.do("LPUSH", "mail", task(), task())
    redis.do("LPUSH", "mail\x06\x169", task())
    redis.do("SADD", "_kombu.binding.celery", "celery\x06\x16\x06\x16celery")
    redis.do("SADD", "_kombu.binding.celery.pidbox", "\x06\x16\x06\x16celery@a.celery.pidbox")
    redis.do("LPUSH", "celery@a.celery.pidbox", "x")
    redis.do("SET", "celery-task-meta-1", "{}")
    with socket.create_connection(("127.0.0.1", redis.port)):  # as a worker is
        look = found(redis)
    assert look.queues == [Waiting("celery", 0), Waiting("mail", 3)]
    assert (look.works, look.connected) == (0, {"127.0.0.1"})


def test_oldest__is_told_where_it_is_known(redis):
    redis.do("FLUSHALL")
    redis.do("LPUSH", "celery", task(timestamp=1000), task(timestamp=2000))
    redis.do("RPUSH", "rq:queue:low", "job-1", "job-2")
    redis.do("HSET", "rq:job:job-1", "enqueued_at", "2026-12-01T04:00:00.5Z")
    redis.do("LPUSH", "odd", "no JSON")
    redis.do("HSET", "unacked", "tag", "[]")
    redis.do("ZADD", "unacked_index", "1764561600.5", "tag")
    look = found(redis)
    since = {each.name: each.since for each in look.queues}
    assert since == {"celery": 1000, "odd": 0, "rq:queue:low": 1796097600.5}
    assert (look.works, look.since) == (1, 1764561600.5)


def test_purge__empties_one_queue_and_says_how_much_it_was(redis):
    redis.do("FLUSHALL")
    redis.do("LPUSH", "mail", task(), task())
    redis.do("LPUSH", "mail\x06\x163", task())
    redis.do("LPUSH", "mail2", task())
    assert redis.run(redis.queue.purge, "mail") == ["3"]
    assert found(redis).queues == [Waiting("mail2", 1)]
    assert redis.run(redis.queue.purge, "mail; FLUSHALL") == ["0"]
    assert redis.do("LLEN", "mail2") == "1"


def test_password__is_in_no_command_line(redis):
    assert PASSWORD not in redis.queue.lengths + redis.queue.purge


def test_lines__say_who_takes_from_a_queue_and_who_is_not_there(three_node):
    video = three_node.node("video-1")
    look = Look([Waiting("celery", 3, 940.0)], 2, 880.0, {video.private})
    lines = [*queue.as_lines(three_node, look, 1000.0)]
    assert lines[1].split() == ["celery", "3", "60", "s", "video-1"]
    assert lines[2] == "2 given out and not done yet, the oldest for 120 s".replace(
        "120 s", "2 min"
    )
    away = [*queue.as_lines(three_node, Look([Waiting("celery", 3), Waiting("x")]), 1000.0)]
    assert away[1].split() == ["celery", "3", "?", "video-1", "(not", "connected)"]
    assert away[2].split() == ["x", "0", "-", "-"]


def test_queues_of_a_node__are_those_of_its_inventory(three_node):
    video = three_node.node("video-1")
    mail = video.model_copy(update={"variables": {"celery_queues": ("mail",)}})
    nodes = tuple(mail if node is video else node for node in three_node.nodes)
    cluster = remake(three_node, nodes=nodes)
    assert [node.name for node in queue.takers(cluster, "mail")] == ["video-1"]
    assert [*queue.takers(cluster, "celery")] == []
    assert queue.place(cluster)[0].name == "server-1"
    assert links(cluster).one("broker")[1] == "redis"
