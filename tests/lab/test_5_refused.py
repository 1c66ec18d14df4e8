"""A configuration that its program refuses never gets to run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tests.lab.project import Project
from tests.lab.visitor import Visitor, not_serving, upload_is_refused

SITE = "/etc/nginx/conf.d/videoteca.conf"
DATABASE = "/etc/mysql/mariadb.conf.d/60-cluster.cnf"
MB = 1024 * 1024


@contextlib.contextmanager
def beside(project: Project, node: str, path: str, text: str) -> Iterator[None]:
    """A file that somebody else has put there, and that the program does not like."""
    project.on(node, f"cat >{path}", stdin=text)
    try:
        yield
    finally:
        project.on(node, f"rm {path}")


def whole(project: Project, node: str, path: str) -> str:
    return project.on(node, f"stat -c '%n %U %G %a' {path}; cat {path}")


def test_rejected_nginx_configuration__goes_back_and_everything_serves_on(mended: Project) -> None:
    before = whole(mended, "server-2", SITE)
    stray = "/etc/nginx/conf.d/zz-stray.conf"
    mended.write(max_upload_mb=222)
    with beside(mended, "server-2", stray, "no_such_word on;\n"):
        # One failure is borne, so that the other child has its turn, whichever comes first.
        result = mended.fab("provision", "--max-failures", "1")
        assert result.exit == 1
        assert whole(mended, "server-2", SITE) == before
        assert not_serving(mended.cluster) == {}
        # The other child has the new one, this one runs with what it had.
        assert not upload_is_refused(mended.cluster, "server-3", 223 * MB)
        assert upload_is_refused(mended.cluster, "server-2", 223 * MB)
        assert f'unknown directive "no_such_word" in {stray}:1' in result.said, "its own words"
        assert "roles/nginx.py:" in result.said
        assert "1 of 4 nodes failed: server-2" in result.said
        assert f"{SITE} as before this run" in result.said
    mended.fab("provision").well()
    assert not upload_is_refused(mended.cluster, "server-2", 223 * MB)
    assert mended.fab("provision", "--json").well().changed() == {}


def test_rejected_database_configuration__goes_back_and_the_database_is_left_running(
    mended: Project,
) -> None:
    before = whole(mended, "server-1", DATABASE)
    main = "systemctl show -P MainPID mariadb"
    process = mended.on("server-1", main)
    node = mended.data["nodes"]["server-1"]
    node["memory_mb"] += 200  # more of it for the database
    mended.write(max_upload_mb=226)  # and something for all others to do
    stray = "/etc/mysql/mariadb.conf.d/zz-stray.cnf"
    with beside(mended, "server-1", stray, "[mariadbd]\nno-such-word = 1\n"):
        with Visitor(mended.cluster) as visitor:
            result = mended.fab("provision")
        assert result.exit == 1
        assert visitor.bad == []
        assert visitor.answers > 0
        assert mended.on("server-1", main) == process, "the same process as before"
        assert whole(mended, "server-1", DATABASE) == before
        assert "no-such-word" in result.said, "its own words"
        assert f"{DATABASE} as before this run" in result.said
        assert "left alone, because server-1 failed" in result.said
    mended.fab("provision").well()
    node["memory_mb"] -= 200
    mended.write()
    mended.fab("provision").well()
    assert mended.fab("provision", "--json").well().changed() == {}


def test_service_that_does_not_come_up_with_it__runs_again_with_the_old_one(
    mended: Project,
) -> None:
    # Redis's checker likes the file; the unit then does not start with it.
    conf, redis = "/etc/redis/redis.conf", "systemctl is-active redis-server"
    before = whole(mended, "server-1", conf)
    drop_in = "/etc/systemd/system/redis-server.service.d/zz-stray.conf"
    # "+": Debian's unit lets Redis's own programs run only.
    grep = "ExecStartPre=+/bin/sh -c '! grep -q \"^maxmemory 102mb\" /etc/redis/redis.conf'"
    mended.data["nodes"]["server-1"]["memory_mb"] = 2048
    try:
        mended.write()
        with beside(mended, "server-1", drop_in, f"[Service]\n{grep}\n"):
            result = mended.fab("provision:server-1")
            assert result.exit == 1
            assert whole(mended, "server-1", conf) == before
            assert mended.on("server-1", redis) == "active\n"
            assert "redis-server.service failed" in result.said
            assert f"{conf} as before this run" in result.said
    finally:
        mended.data["nodes"]["server-1"]["memory_mb"] = 1024


def test_change_of_every_service__is_foretold_by_the_check(mended: Project) -> None:
    mended.data["domain"], before = "other.test", mended.data["domain"]
    try:
        mended.write(threads=3, max_upload_mb=111)
        predicted = mended.fab("provision", "--check", "--json").well()
        done = mended.fab("provision", "--json").well()
        assert predicted.changed() == done.changed()
        assert {"service:nginx", "service:uwsgi"} <= set(done.changed()["server-2"])
    finally:
        mended.data["domain"] = before
