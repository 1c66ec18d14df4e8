"""A new password on a cluster at work: no visitor notices, and the old one is dead.

The application logs in anew for each request here, so that a password which is refused
anywhere, for a moment, is a request that fails.
"""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.lab.leaks import found_in, values
from tests.lab.project import Project, Result, wait_for
from tests.lab.visitor import Visitor, serving

PAGE = "/"  # asks the database
SETTINGS = "videoteca/videoteca/settings.py"
# What a node of the cluster is told by the servers; the password comes on stdin.
LOGIN = {
    "mysql_app": """
import os, sys, pymysql
host, user = os.environ["DATABASE_HOST"], os.environ["DATABASE_USER"]
try:
    pymysql.connect(host=host, user=user, password=sys.stdin.read())
except pymysql.OperationalError as error:
    sys.exit(f"refused {error.args[0]}")
""",
    "redis": """
import os, sys, redis
try:
    password = sys.stdin.read()
    for user, port in (("queue", 6379), ("cache", 6380)):
        redis.Redis(
            os.environ["DATABASE_HOST"], port, username=user, password=password
        ).ping()
except redis.AuthenticationError as error:
    sys.exit("refused")
""",
    # What the key has signed, is it good here?
    "django_secret_key": """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "videoteca.settings"
from django.core import signing
signed = signing.Signer(key=sys.stdin.read()).sign("ana")
try:
    signing.Signer().unsign(signed)
except signing.BadSignature:
    sys.exit("refused")
""",
}
AS_THE_APPLICATION = (
    "set -a; . /etc/videoteca/videoteca.env; cd /opt/videoteca/current/app &&"
    " exec ../venv/bin/python -B -c '{}' 2>&1"
)
# As docs/secrets.rst has it: each secret is in a file of the central node.
RECOVER = {
    "django_secret_key": 's/^DJANGO_SECRET_KEY="\\(.*\\)"$/\\1/p',
    "mysql_app": 's/^DATABASE_PASSWORD="\\(.*\\)"$/\\1/p',
    "redis": "s/^CELERY_BROKER_URL=.*:\\([^:@]*\\)@.*$/\\1/p",
    "redis_admin": 's/^REDISCLI_AUTH="\\(.*\\)"$/\\1/p',
}


@pytest.fixture(scope="module")
def restless(mended_at_the_end: Project) -> Iterator[Project]:
    """The cluster, with an application that keeps no connection."""
    project = mended_at_the_end
    settings = project.folder / SETTINGS
    text = settings.read_text()
    assert '"CONN_MAX_AGE": 60' in text
    settings.write_text(text.replace('"CONN_MAX_AGE": 60', '"CONN_MAX_AGE": 0'))
    project.fab("deploy").well()
    wait_for("answer of every child", 60, lambda: serving(project.cluster))
    yield project
    settings.write_text(text)
    project.fab("deploy").well()


def accepts(project: Project, name: str, value: str, node: str = "server-3") -> bool:
    """Is a value good where it is asked for?"""
    script = AS_THE_APPLICATION.format(LOGIN[name].replace("'", "'\\''"))
    said = project.on(node, f"( {script} ) || true", stdin=value)
    assert said == "" or said.startswith("refused"), said
    return said == ""


def good(visitor: Visitor, least: int) -> bool:
    """Was every visit answered, and were there enough of them?"""
    assert visitor.bad == []
    assert visitor.answers > least
    return True


@pytest.mark.parametrize("name", ["mysql_app", "redis", "django_secret_key"])
def test_rotation__loses_no_request_and_ends_the_old_value(restless: Project, name: str) -> None:
    old = values(restless)[name]
    assert accepts(restless, name, old)
    # Workers are being replaced when it begins.
    restless.on("server-1", "touch /srv/videoteca/reload")
    with Visitor(restless.cluster, PAGE) as visitor:
        rotated = restless.fab("secrets.rotate", name).well()
        time.sleep(2)
    restless.times[f"secrets.rotate {name}"] = rotated.seconds
    new = values(restless)[name]
    assert new != old
    assert good(visitor, 50)
    assert accepts(restless, name, new)
    assert not accepts(restless, name, old)
    assert restless.fab("provision", "--json").well().changed() == {}
    assert f"{name} is rotated" in rotated.stdout
    assert sorted(file.name for file in restless.inventory.parent.glob("nodriza-test.*")) == [
        "nodriza-test.secrets.age",
        "nodriza-test.yml",
    ]


def test_rotation__keeps_the_old_value_as_long_as_it_is_asked_to(restless: Project) -> None:
    name = "django_secret_key"
    old = values(restless)[name]
    with Visitor(restless.cluster, PAGE) as visitor:
        kept = restless.fab("secrets.rotate", name, "--keep-old").well()
        assert "next: fab secrets.rotate django_secret_key" in kept.stdout
        new = values(restless)[name]
        for node in ("server-1", "server-2", "server-3"):
            assert accepts(restless, name, old, node)
            assert accepts(restless, name, new, node)
        shown = restless.fab("secrets.show").well().stdout
        assert "django_secret_key  (in rotation since 20" in shown
        restless.fab("secrets.rotate", name).well()
    assert good(visitor, 50)
    assert values(restless)[name] == new
    assert not accepts(restless, name, old)


@pytest.mark.parametrize("configuration", [False, True], ids=["workers", "master"])
def test_reload__of_uwsgi_while_workers_are_replaced_is_neither_lost_nor_noticed(
    restless: Project, configuration: bool
) -> None:
    """With a change of uWSGI's own configuration there is a new master, too."""
    with Visitor(restless.cluster, PAGE) as visitor:
        for pause in (0.5, 1.5, 2.5):
            restless.on("server-1", "touch /srv/videoteca/reload")
            time.sleep(pause)
            if configuration:
                # What is in it counts, and not when it was written.
                restless.on("server-2", f"echo '# {pause}' >>/etc/uwsgi/videoteca.ini")
            before = processes(restless)
            restless.on("server-2", "systemctl reload uwsgi")
            after = processes(restless)
            assert not after["worker"] & before["worker"]
            assert not after["mule"] & before["mule"] or not configuration
            # None is lost. (One may be on its way: the touch is followed by itself.)
            wait_for(
                "as many workers as before", 60, lambda: len(processes(restless)["worker"]) == 2
            )
    assert good(visitor, 50)


def processes(project: Project) -> dict[str, set[str]]:
    """The process ids of uWSGI's workers and of its mule."""
    found: dict[str, set[str]] = {"worker": set(), "mule": set(), "master": set()}
    listing = project.on("server-2", "pgrep -a --full '^videoteca uWSGI '")
    for line in listing.splitlines():
        pid, _, _, kind = line.split()[:4]
        found[kind].add(pid)
    return found


def finished(project: Project, name: str) -> Result | None:
    """Again, until the agents of the run before have ended."""
    result = project.fab("secrets.rotate", name)
    return result if result.exit == 0 else None


@pytest.mark.parametrize("seed", range(4))
def test_rotation__killed_at_any_moment_loses_no_request_and_goes_on(
    restless: Project, seed: int
) -> None:
    name = "mysql_app"
    old = values(restless)[name]
    usual = restless.times.get(f"secrets.rotate {name}", 15)
    moment = random.Random(seed).uniform(0.5, usual)
    with Visitor(restless.cluster, PAGE) as visitor:
        with restless.start("secrets.rotate", name) as process:
            try:
                process.communicate(timeout=moment)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
        time.sleep(1)
        wait_for("end of the rotation", 120, lambda: finished(restless, name))
    assert good(visitor, 20), f"killed after {moment:.1f} s"
    assert not accepts(restless, name, old)
    assert accepts(restless, name, values(restless)[name])


def test_rotation__waits_for_a_node_that_is_away(restless: Project) -> None:
    name = "mysql_app"
    old = values(restless)[name]
    restless.power_cut("server-3")
    with Visitor(
        restless.cluster.model_copy(update={"nodes": restless.cluster.nodes[:2]}), PAGE
    ) as v:
        stopped = restless.fab("secrets.rotate", name)
        assert stopped.exit == 1
        assert "in rotation; the old value is in use and good everywhere" in stopped.stderr
        assert "next: fab secrets.rotate mysql_app" in stopped.stderr
        restless.power_on("server-3")
        wait_for("answer of every child", 120, lambda: serving(restless.cluster))
        restless.fab("secrets.rotate", name).well()
    assert good(v, 50)
    assert not accepts(restless, name, old)


def lose(project: Project) -> None:
    """The key, and the secrets that nothing else opens."""
    (project.folder / "home/.config/nodriza/age.key").unlink()


def test_lost_key__says_so_and_every_value_is_read_from_a_node(restless: Project) -> None:
    before = values(restless)
    lose(restless)
    stuck = restless.fab("provision")
    assert stuck.exit == 1
    assert "age.key" in stuck.said

    restless.inventory.with_suffix(".secrets.age").unlink()
    for name, pattern in RECOVER.items():
        read = f"sed -n '{pattern}' /etc/videoteca/videoteca.env /etc/redis/admin.env"
        value = restless.on("server-1", read)
        with restless.start("secrets.set", name, stdin=subprocess.PIPE) as process:
            out, err = process.communicate(value, timeout=60)
        assert process.returncode == 0, err
        assert found_in(out + err, before.values()) == []
    assert values(restless) == before
    assert restless.fab("provision", "--json").well().changed() == {}


def test_lost_key__or_everything_is_made_anew(restless: Project) -> None:
    before = values(restless)
    lose(restless)
    restless.inventory.with_suffix(".secrets.age").unlink()
    made = restless.fab("provision", "--diff").well()
    assert found_in(made.said, before.values()) == []
    wait_for("answer of every child", 60, lambda: serving(restless.cluster))
    after = values(restless)
    assert set(before) == {*LOGIN, "redis_admin"}
    for name in LOGIN:
        assert accepts(restless, name, after[name])
        assert not accepts(restless, name, before[name])
    assert restless.fab("provision", "--json").well().changed() == {}
