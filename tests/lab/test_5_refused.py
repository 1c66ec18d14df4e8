"""A configuration that its program refuses never gets to run."""

from __future__ import annotations

import time

from tests.lab.project import Project
from tests.lab.visitor import Visitor, serving, upload_is_refused

FILES = "cat /etc/nginx/nginx.conf /etc/nginx/conf.d/videoteca.conf /etc/nginx/videoteca.headers"
BROKEN = "/etc/nginx/conf.d/zz-broken.conf"


def test_rejected_nginx_configuration__goes_back_and_everything_serves_on(mended: Project) -> None:
    before = mended.on("server-2", f"{FILES}; stat -c '%n %U %G %a' /etc/nginx/conf.d/*")
    mended.on("server-2", f"echo 'no_such_word on;' >{BROKEN}")
    mended.write(max_upload_mb=222)
    result = mended.fab("provision")

    assert result.exit == 1
    assert f'unknown directive "no_such_word" in {BROKEN}:1' in result.said, "nginx's own words"
    assert "/etc/nginx/conf.d/videoteca.conf as before this run" in result.said
    assert "roles/nginx.py:" in result.said
    assert "1 of 4 nodes failed: server-2" in result.said
    assert serving(mended.cluster)
    # The other child has it, this one has what it had.
    assert not upload_is_refused(mended.cluster, "server-3", 223 * 1024 * 1024)
    assert upload_is_refused(mended.cluster, "server-2", 223 * 1024 * 1024)

    mended.on("server-2", f"rm {BROKEN}")
    assert mended.on("server-2", f"{FILES}; stat -c '%n %U %G %a' /etc/nginx/conf.d/*") == before
    mended.fab("provision").well()
    assert not upload_is_refused(mended.cluster, "server-2", 223 * 1024 * 1024)
    assert mended.fab("provision", "--json").well().changed() == {}


def test_rejected_configuration_of_the_central__leaves_the_other_nodes_alone(
    mended: Project,
) -> None:
    broken, conf = "/etc/mysql/mariadb.conf.d/zz.cnf", "/etc/mysql/mariadb.conf.d/60-cluster.cnf"
    before = mended.on("server-1", f"cat {conf}")
    mended.on("server-1", f"printf '[mariadbd]\\nno-such-word = 1\\n' >{broken}")
    mended.write(processes=3)  # more connections for the database
    with Visitor(mended.cluster) as visitor:
        result = mended.fab("provision")
    mended.on("server-1", f"rm {broken}")

    assert result.exit == 1
    assert "no-such-word" in result.said, "MariaDB's own words"
    assert f"{conf} as before this run" in result.said
    assert "left alone, because server-1 failed" in result.said
    assert "3 of 4 nodes" not in result.said
    assert mended.on("server-1", f"cat {conf}") == before
    assert visitor.bad == []
    assert visitor.answers > 0


def test_changed_configuration__is_taken_over_without_a_failed_request_by_nginx(
    mended: Project,
) -> None:
    mended.data["domain"], before = "other.test", mended.data["domain"]
    try:
        mended.write()
        site = mended.cluster.model_copy(update={"domain": "server-2"})  # a name that stays known
        predicted = mended.fab("provision", "--check", "--json").well()
        with Visitor(site) as visitor:
            time.sleep(0.5)
            done = mended.fab("provision", "--json").well()
            time.sleep(1)
        assert predicted.changed() == done.changed()
        assert visitor.answers > 0
    finally:
        mended.data["domain"] = before
