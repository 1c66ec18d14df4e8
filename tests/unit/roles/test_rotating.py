"""Secrets that are being rotated: who takes two values, and who uses one."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from nodriza.host.env_file import parse_environment
from nodriza.resources import DatabaseUser, File
from tests.unit.conftest import needs
from tests.unit.roles.made import content, remake, resources

RIGHTS = "~* &* +@all -@admin -@dangerous +info"


def accepted(cluster, node):
    """What the servers of a node take, as they are told."""
    users = resources(cluster, node, DatabaseUser)
    return {
        "mysql": {(user.password, *user.also) for user in users},
        "redis": [
            line
            for file in resources(cluster, node, File)
            if file.path.endswith(".acl")
            for line in file.content.splitlines()
            if "‹secret:redis›" in line
        ],
    }


def test_servers__accept_one_value_and_two_while_it_is_rotated(three_node):
    assert accepted(three_node, "server-1") == {
        "mysql": {("‹secret:mysql_app›",)},
        "redis": [
            f"user queue on >‹secret:redis› {RIGHTS}",
            f"user cache on >‹secret:redis› {RIGHTS} +flushdb +keys",
        ],
    }
    rotating = remake(three_node, rotating=frozenset({"mysql_app", "redis"}))
    both = accepted(rotating, "server-1")
    assert both["mysql"] == {("‹secret:mysql_app›", "‹secret:mysql_app.other›")}
    assert both["redis"][0] == f"user queue on >‹secret:redis› >‹secret:redis.other› {RIGHTS}"


def test_programs__use_one_value_also_while_it_is_rotated(three_node):
    rotating = remake(three_node, rotating=frozenset({"mysql_app", "redis"}))
    for node in three_node.nodes:
        path = "/etc/videoteca/videoteca.env"
        assert content(rotating, node.name, path) == content(three_node, node.name, path)


def test_django__accepts_what_the_other_key_has_signed(three_node):
    def keys(cluster):
        found = parse_environment(content(cluster, "server-2", "/etc/videoteca/videoteca.env"))
        return found["DJANGO_SECRET_KEY"], found["DJANGO_SECRET_KEY_FALLBACKS"].split()

    own, other = "‹secret:django_secret_key:env›", "‹secret:django_secret_key.other›"
    assert keys(three_node) == (own, [])
    rotating = remake(three_node, rotating=frozenset({"django_secret_key"}))
    assert keys(rotating) == (own, [other])


# What the application is not to do to its servers, and what it does with them every day.
NEVER = [
    "CONFIG SET maxmemory 1",
    "CONFIG GET *",
    "ACL SETUSER queue on",
    "ACL LIST",
    "REPLICAOF 198.18.7.99 6379",
    "SHUTDOWN NOSAVE",
    "MODULE LIST",
    "SAVE",
    "CLIENT LIST",
    "MONITOR",
    "FLUSHALL",
    "SWAPDB 0 1",
    "MIGRATE 198.18.7.99 6379 k 0 5",
]
CELERY = [
    "LPUSH celery task",
    "RPUSH celery task",
    "BRPOP celery 1",
    "LLEN celery",
    "SADD _kombu.binding.celery celery",
    "SMEMBERS _kombu.binding.celery",
    "ZADD unacked_index 1 a",
    "ZREVRANGEBYSCORE unacked_index 2 0",
    "HSET unacked a b",
    "HDEL unacked a",
    "SET unacked_mutex me NX PX 1000",
    "EVAL return(1) 0",
    "PUBLISH /0.celeryev x",
    "SETEX celery-task-meta-1 60 x",
    "INCR celery-task-meta-2.t",
    "EXPIRE celery-task-meta-2.t 60",
    "MGET celery-task-meta-1 celery-task-meta-2.t",
    "INFO server",
    "CLIENT SETNAME celery",
    "SELECT 1",
    "DEL celery",
]
CACHE = [
    "SET :1:a x EX 60",
    "GET :1:a",
    "MSET :1:b 1 :1:c 2",
    "INCRBY :1:b 1",
    "TOUCH :1:b",
    "PEXPIRE :1:b 1000",
    "EXISTS :1:b",
    "SCAN 0 MATCH :1:*",
    "KEYS :1:*",
    "SCRIPT FLUSH",
    "FLUSHDB",
]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as anything:
        return anything.getsockname()[1]


class Server:
    """The real one, as the role has it, in a folder and at a socket of its own."""

    def __init__(self, cluster, name):
        # A short path: a socket's may have 107 characters only.
        self.folder = Path(tempfile.mkdtemp(prefix="nodriza-redis-"))
        self.name, self.port = name, free_port()
        self.values = {"redis": "in-use", "redis.other": "other", "redis_admin": "admin-1"}
        self.write(cluster)
        conf = content(
            cluster, "server-1", f"/etc/redis/{'redis' if name == 'queue' else 'redis-cache'}.conf"
        )
        argv = [
            "redis-server",
            "-",
            "--bind",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--daemonize",
            "no",
        ]
        argv += ["--supervised", "no", "--pidfile", "", "--logfile", "", "--dir", str(self.folder)]
        argv += ["--aclfile", str(self.folder / f"{name}.acl")]
        self.argv = argv
        self.conf = re.sub("^dir .*$", f"dir {self.folder}", conf, flags=re.MULTILINE)
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            self.argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        with self.process.stdin as stdin:
            stdin.write(self.conf)
        deadline = time.monotonic() + 10
        while self.ask("admin", self.values["redis_admin"], "PING") != "PONG":
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)

    def write(self, cluster):
        """Its accounts, and the file that operators read."""
        for path in (f"/etc/redis/{self.name}.acl", "/etc/redis/admin.env"):
            text = content(cluster, "server-1", path)
            text = re.sub("‹secret:(.*?)›", lambda match: self.values[match[1]], text)
            (self.folder / Path(path).name).write_text(text)

    def users(self, cluster, *words):
        """The script of the role, in this folder; its exit."""
        script = content(cluster, "server-1", "/usr/local/sbin/redis-users")
        script = script.replace("/etc/redis", str(self.folder))
        script = script.replace("/run/redis-admin", str(self.folder / "run"))
        argv = ["sh", "-c", script, "redis-users", self.name, str(self.port), *words]
        return subprocess.run(argv, timeout=10, check=False).returncode

    def ask(self, user, password, words, stdin=None):
        done = subprocess.run(
            [
                "redis-cli",
                "-p",
                str(self.port),
                "--user",
                user,
                "--no-auth-warning",
                *words.split(),
            ],
            env={"REDISCLI_AUTH": password, "PATH": os.environ["PATH"]},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
        return (done.stdout + done.stderr).strip()


@pytest.fixture
def queue(three_node):
    needs("redis-server", "redis-server")
    server = Server(three_node, "queue")
    yield server
    server.stop()
    shutil.rmtree(server.folder)


@pytest.fixture
def cache(three_node):
    needs("redis-server", "redis-server")
    server = Server(three_node, "cache")
    yield server
    server.stop()
    shutil.rmtree(server.folder)


def test_queue__does_what_celery_asks_and_has_no_other_administrator(queue):
    for words in CELERY:
        assert "NOPERM" not in queue.ask("queue", "in-use", words), words
    for words in [*NEVER, "FLUSHDB", "KEYS *"]:
        assert "NOPERM" in queue.ask("queue", "in-use", words), words
    assert queue.ask("admin", "admin-1", "CONFIG GET maxmemory-policy").split()[-1] == "noeviction"


def test_cache__does_what_django_asks_and_has_no_other_administrator(cache):
    for words in CACHE:
        assert "NOPERM" not in cache.ask("cache", "in-use", words), words
    for words in NEVER:
        assert "NOPERM" in cache.ask("cache", "in-use", words), words


def test_redis__knows_nobody_without_a_name_and_a_password(queue):
    for user, password in (("default", ""), ("default", "x"), ("queue", "x"), ("cache", "in-use")):
        assert "WRONGPASS" in queue.ask(user, password, "PING") or user == "default"
        assert "PONG" not in queue.ask(user, password, "PING")


def test_queue__keeps_its_transactions_over_a_restart(queue):
    """Redis 7.0 reads its own file as "default", who may not log in."""
    queue.ask("queue", "in-use", "", stdin="MULTI\nHSET unacked a task\nLPUSH celery b\nEXEC\n")
    queue.stop()
    queue.start()
    assert queue.ask("queue", "in-use", "HGET unacked a") == "task"
    assert queue.ask("queue", "in-use", "LLEN celery") == "1"


def test_redis__takes_both_passwords_and_forgets_the_old_one_in_a_reload(three_node, queue):
    """No connection ends meanwhile; the operators' password changes as well."""
    assert queue.users(three_node, "started") == 0
    worker = socket.create_connection(("127.0.0.1", queue.port), 5)
    say = lambda words: (worker.sendall(words + b"\r\n"), worker.recv(99))[1]  # noqa: E731
    assert say(b"AUTH queue in-use") == b"+OK\r\n"
    queue.write(remake(three_node, rotating=frozenset({"redis"})))
    assert queue.users(three_node) == 0
    both = [queue.ask("queue", value, "PING") for value in ("in-use", "other")]
    assert both == ["PONG", "PONG"]
    queue.values["redis"], queue.values["redis_admin"] = "newest", "admin-2"
    queue.write(three_node)
    assert queue.users(three_node) == 0
    assert queue.ask("queue", "newest", "PING") == "PONG"
    assert queue.ask("admin", "admin-2", "PING") == "PONG"
    for old in ("in-use", "other"):
        assert "WRONGPASS" in queue.ask("queue", old, "PING")
    assert queue.users(three_node) == 0
    assert say(b"LLEN celery") == b":0\r\n"
    worker.close()


def test_reload_of_accounts_that_redis_does_not_understand__fails(three_node, queue):
    assert queue.users(three_node, "started") == 0
    (queue.folder / "queue.acl").write_text("user queue on >x ~* +@nonsense\n")
    assert queue.users(three_node) == 1
    assert queue.ask("queue", "in-use", "PING") == "PONG"
