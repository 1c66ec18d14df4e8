"""Secrets that are being rotated: who takes two values, and who uses one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from nodriza.resources import DatabaseUser, File
from nodriza.resources.command import parse_environment
from tests.unit.roles.made import content, remake, resources


def accepted(cluster, node):
    """What the servers of a node take, as they are told."""
    users = resources(cluster, node, DatabaseUser)
    return {
        "mysql": {(user.password, *user.also) for user in users},
        "redis": [
            line
            for file in resources(cluster, node, File)
            if file.path == "/etc/redis/users.acl"
            for line in file.content.splitlines()
        ],
    }


def test_servers__accept_one_value_and_two_while_it_is_rotated(three_node):
    assert accepted(three_node, "server-1") == {
        "mysql": {("‹secret:mysql_app›",)},
        "redis": [
            "user default on >‹secret:redis› ~* &* +@all",
            "user reload on nopass -@all +acl|load",
        ],
    }
    rotating = remake(three_node, rotating=frozenset({"mysql_app", "redis"}))
    both = accepted(rotating, "server-1")
    assert both["mysql"] == {("‹secret:mysql_app›", "‹secret:mysql_app.other›")}
    assert both["redis"][0] == (
        "user default on >‹secret:redis› >‹secret:redis.other› ~* &* +@all"
    )


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


@pytest.fixture
def redis_folder(tmp_path):
    # A short path: a socket's may have 107 characters only.
    folder = Path(tempfile.mkdtemp(prefix="nodriza-redis-"))
    yield folder
    shutil.rmtree(folder)


def test_redis__takes_both_passwords_and_forgets_the_old_one_in_a_reload(three_node, redis_folder):
    """The real server, over a socket."""
    values = {"redis": "in-use-password", "redis.other": "other-password"}
    users, socket = redis_folder / "users.acl", redis_folder / "socket"

    def write(cluster):
        text = content(cluster, "server-1", "/etc/redis/users.acl")
        users.write_text(re.sub("‹secret:(.*?)›", lambda match: values[match[1]], text))

    def ask(password, *words):
        done = subprocess.run(
            ["redis-cli", "-s", str(socket), *words],
            env={"REDISCLI_AUTH": password, "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
        return done.stdout.strip()

    write(remake(three_node, rotating=frozenset({"redis"})))
    argv = ["redis-server", "--port", "0", "--unixsocket", str(socket), "--save", ""]
    argv += ["--aclfile", str(users), "--dir", str(redis_folder)]
    unit = content(
        three_node, "server-1", "/etc/systemd/system/redis-server.service.d/cluster.conf"
    )
    reload = re.search("^ExecReload=(.*)$", unit, re.MULTILINE)[1].split()[1:]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + 10
            while not socket.exists():
                assert time.monotonic() < deadline
                time.sleep(0.01)
            assert [ask(value, "PING") for value in values.values()] == ["PONG", "PONG"]
            write(three_node)
            assert ask("", *reload) == "OK"
            assert ask("in-use-password", "PING") == "PONG"
            assert ask("other-password", "PING") != "PONG"
            # The user of the reload can do nothing else.
            as_reload = [word for word in reload if word not in ("ACL", "LOAD")]
            for words in (["PING"], ["GET", "x"], ["ACL", "LIST"], ["SHUTDOWN"]):
                assert "OK" not in ask("", *as_reload, *words)
                assert "PONG" not in ask("", *as_reload, *words)
            assert ask("in-use-password", "PING") == "PONG"
        finally:
            server.terminate()
