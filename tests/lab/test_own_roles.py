"""Roles of one's own in the place of shipped ones, on real machines: another database, another
application server, and the monitoring of docs/writing-a-role.rst.

They are in own_roles/ beside this file, and import ``nodriza.role`` only. Nothing else is told of
them.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.lab.project import Project, wait_for
from tests.lab.visitor import Visitor, get, serving, whoami
from tests.pages import blocks

OWN = Path(__file__).with_name("own_roles")
CHILDREN = ("server-2", "server-3")
SETTINGS = '''"""Another engine, told by the same variables."""

import os

from videoteca.settings import *  # noqa: F403

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["DATABASE_HOST"],
        "PORT": os.environ["DATABASE_PORT"],
        "NAME": os.environ["DATABASE_NAME"],
        "USER": os.environ["DATABASE_USER"],
        "PASSWORD": os.environ["DATABASE_PASSWORD"],
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5},
    }
}
'''
INVENTORY = """
share: {engine: glusterfs}  # which every machine's lab can have
roles: [default, munin]
services: {database: postgresql, application: gunicorn}
backup: {to: /mnt/copies}
kinds:
  central:
    variables: {needs: [munin]}
"""
CLAIM = """
import http.client
line = http.client.HTTPConnection("127.0.0.1")
line.request("GET", "/no-such-page/", headers={"Host": "videoteca.test", "Nodriza-Health": "1"})
print(line.getresponse().status)
"""
"""A visitor may not ask for the health in the place of a page."""
DRIVER = "psycopg==3.2.13\npsycopg-binary==3.2.13"


def own_roles(project: Project) -> None:
    """The three roles in the project's folder, and in its inventory."""
    shutil.copytree(OWN, project.folder, dirs_exist_ok=True)
    code = blocks("docs/writing-a-role.rst")
    for path, text in (
        ("roles/munin.py", code["python"][0]),
        ("templates/munin/munin-node.conf.j2", code["jinja"][0]),
    ):
        (project.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (project.folder / path).write_text(text)
    project.data.update(yaml.safe_load(INVENTORY))


def speaks_postgresql(project: Project) -> None:
    """The example with another driver and other settings, as its owner would have it."""
    source = project.folder / "videoteca"
    (source / "videoteca/postgresql.py").write_text(SETTINGS)
    for path, old, new in (
        ("requirements.txt", "PyMySQL==1.2.4", DRIVER),
        ("videoteca/__init__.py", "pymysql.install_as_MySQLdb()", ""),
        ("videoteca/__init__.py", "import pymysql", ""),
    ):
        text = (source / path).read_text()
        assert old in text
        (source / path).write_text(text.replace(old, new))
    project.data["app"]["settings"] = "videoteca.postgresql"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, times: dict[str, float]) -> Iterator[Project]:
    project = Project.make(tmp_path_factory.mktemp("roles"), "labownroles", 186)
    project.times = times
    own_roles(project)
    speaks_postgresql(project)
    project.write()
    with project.up("provision", "deploy"):
        wait_for("pages of every child", 60, lambda: serving(project.cluster))
        yield project


def test_second_run__changes_nothing(served: Project) -> None:
    assert served.fab("provision", "--json").well().changed() == {}
    assert served.fab("deploy", "--json").well().changed() == {}


def test_smoke__is_green_and_strangers_are_refused_on_every_door(served: Project) -> None:
    said = served.fab("smoke").well().stdout
    assert "what nodes offer each other refuses strangers, on every node" in said
    assert "a row written through one child is read through another" in said
    assert "uwsgi" not in said


def test_database__is_backed_up_restored_on_trial_and_put_back(served: Project) -> None:
    """By pg_dump, while somebody writes; the engine of backups knows nothing of PostgreSQL."""
    ask = "runuser -u postgres -- psql -qAtd videoteca -c"
    served.on(
        "server-1", f"{ask} 'create table written(id bigserial, at timestamp default now())'"
    )
    write = f"while :; do {ask} 'insert into written(at) values (now())'; done"
    served.on("server-1", f'systemd-run --quiet --unit=writer sh -c "{write}"')
    try:
        served.fab("backup").well()
    finally:
        served.on("server-1", "systemctl stop writer; systemctl reset-failed writer || true")
    assert "counts and checksums" in served.fab("backup.verify").well().said
    said = served.fab("backup").well().said
    rows = served.on("server-1", f"{ask} 'select count(*), max(id) from written'")
    served.on("server-1", f"{ask} 'delete from written'")
    told = served.fab("restore", "--only", "database", "--at", "2026-01-01 00:00:00", "--replace")
    assert "no backup from before" in told.said, said
    served.fab("restore", "--only", "database", "--replace").well()
    assert served.on("server-1", f"{ask} 'select count(*), max(id) from written'") == rows
    served.fab("provision").well()
    wait_for("pages of every child", 60, lambda: serving(served.cluster))
    assert served.fab("provision", "--json").well().changed() == {}


def test_database__is_open_to_those_who_need_it_from_their_own_address(served: Project) -> None:
    assert served.on("server-1", "ss -ltn | grep :5432").split()[3] == "198.18.186.11:5432"
    rules = served.on("server-1", "nft list ruleset")
    (line,) = [line for line in rules.splitlines() if "5432" in line]
    assert all(f"198.18.186.{each}" in line for each in (12, 13, 21))
    hba = served.on("server-1", "cat /etc/postgresql/15/main/pg_hba.conf")
    assert hba.count("host videoteca videoteca") == 4
    secrets = served.fab("secrets.show").well().stdout
    assert "postgresql_app" in secrets
    assert "mysql_app" not in secrets
    assert "3306" not in rules


def test_status_and_picture__show_them(served: Project) -> None:
    said = served.fab("status", timeout=60).well().stdout
    for word in ("postgresql 15", "gunicorn 20", "munin-node 2."):
        assert word in said
    served.fab("topology", "--output", "cluster.svg").well()
    picture = (served.folder / "cluster.svg").read_text()
    for word in ("PostgreSQL", "5432", "munin 4949"):
        assert word in picture
    assert "MariaDB" not in picture


def test_deploy__is_taken_worker_after_worker_and_loses_no_request(served: Project) -> None:
    old = {child: whoami(served.cluster, child)["release"] for child in CHILDREN}
    masters = {child: master(served, child) for child in CHILDREN}
    (served.folder / "videoteca/rolling.txt").write_text(f"{time.time()}\n")
    with Visitor(served.cluster, "/") as visitor:
        done = served.fab("deploy", "--json").well()
        time.sleep(2)
    assert visitor.bad == []
    assert visitor.answers > 50
    for child in CHILDREN:
        assert "service:gunicorn" in done.changed()[child]
        assert whoami(served.cluster, child)["release"] != old[child]
        assert master(served, child) == masters[child]
    assert "service:celery" in done.changed()["video-1"]


def master(project: Project, child: str) -> str:
    return project.on(child, "systemctl show -P MainPID gunicorn").strip()


def test_change_that_restarts_it__is_made_in_turns_and_loses_no_request(served: Project) -> None:
    masters = {child: master(served, child) for child in CHILDREN}
    unit = served.folder / "templates/gunicorn/gunicorn.service.j2"
    unit.write_text(unit.read_text().replace("TimeoutStopSec=40", "TimeoutStopSec=41"))
    with Visitor(served.cluster, "/") as visitor:
        done = served.fab("provision", "--json").well()
        time.sleep(2)
    assert visitor.bad == []
    assert visitor.answers > 50
    turns = [event["node"] for event in done.events if event["event"] == "turn"]
    assert sorted(set(turns)) == list(CHILDREN)
    for child in CHILDREN:
        assert "service:gunicorn" in done.changed()[child]
        assert master(served, child) != masters[child]


def test_release_that_does_not_import__serves_nobody(served: Project) -> None:
    wsgi = served.folder / "videoteca/videoteca/wsgi.py"
    kept = wsgi.read_text()
    wsgi.write_text(kept + "\nraise RuntimeError('does not import')\n")
    try:
        with Visitor(served.cluster, "/") as visitor:
            done = served.fab("deploy")
        assert done.exit == 1
        assert "does not import" in done.said
        assert visitor.bad == []
    finally:
        wsgi.write_text(kept)


def test_node_that_is_ill__is_not_well_for_load_balancers(served: Project) -> None:
    cluster, child = served.cluster, "server-2"
    address = cluster.node(child).web_address
    assert get(address, "/healthz", cluster.domain)[0] == 200
    assert served.on(child, "python3 -", stdin=CLAIM).strip() == "404"
    served.on("server-1", "systemctl stop postgresql@15-main")
    try:
        status, _, text = get(address, "/healthz", cluster.domain)
        assert (status, text.strip()) == (503, "database: OperationalError")
    finally:
        served.on("server-1", "systemctl start postgresql@15-main")
    wait_for("health", 30, lambda: get(address, "/healthz", cluster.domain)[0] == 200)


def test_plan__is_json_with_the_lines_of_own_roles(served: Project) -> None:
    planned = json.loads(served.fab("plan:server-2", "--json").well().stdout)
    text = json.dumps(planned)
    assert "roles/gunicorn.py" in text
    assert '"health:' in text
