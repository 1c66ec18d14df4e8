"""Backups where the database has a node of its own, on Debian 13: one repository for all nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.lab.project import Project, wait_for
from tests.lab.test_backup import keeper
from tests.lab.visitor import serving

NET = "198.18.54"
ROWS = "mariadb videoteca -NBe 'select count(*), max(id) from written'"


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, times: dict[str, float]
) -> Iterator[Project]:
    """db-1 has the database, server-1 the queue and the files; server-2 keeps the copies."""
    project = Project.make(
        tmp_path_factory.mktemp("placed"), "labplaced", 54, children=1, videos=0
    )
    project.times = times
    project.data["nodes"]["db-1"] = {"kind": "service", "private": f"{NET}.31"}
    project.data["services"] = {"database": {"on": "db-1"}}
    project.data["lab"] = {"release": "trixie"}
    project.write()
    with project.up():
        keeper(project)
        project.fab("provision", timeout=900).well()
        project.fab("deploy", timeout=900).well()
        sql = "create table written(id bigint auto_increment primary key, s char(36))"
        insert = "insert into written(s) select uuid() from seq_1_to_5000"
        project.on("db-1", f"mariadb videoteca -e '{sql}; {insert}'")
        yield project


def test_nodes__back_up_at_once_into_a_repository_that_nobody_had_made(project: Project) -> None:
    said = project.fab("backup").well().said
    assert set(re.findall(r"(\S+) \| backup \d", said)) == {"db-1", "server-1"}
    assert "db-1 | database: " in said
    assert "server-1 | queue: " in said
    for _ in range(2):
        project.fab("backup").well()
    listed = project.fab("backup.list").well().stdout
    assert listed.count("db-1") == listed.count("server-1") == 3


def test_trial__is_made_where_the_data_are(project: Project) -> None:
    said = project.fab("backup.verify").well().said
    assert said.count("was restored on trial") == 2
    assert "restored on trial" in project.fab("status").well().said


def test_database__comes_back_on_its_node_while_the_application_is_stopped_on_others(
    project: Project,
) -> None:
    project.fab("backup").well()
    wanted = project.on("db-1", ROWS)
    project.on("db-1", "mariadb videoteca -e 'delete from written'")
    said = project.fab("restore", "--only", "database", "--replace").well().said
    assert "db-1 | kept: /var/lib/mysql.before-" in said
    assert project.on("db-1", ROWS) == wanted
    project.fab("provision").well()
    wait_for("pages of the child", 60, lambda: serving(project.cluster))
    assert project.fab("provision", "--json").well().changed() == {}


def test_everything__comes_back_on_both_nodes(project: Project) -> None:
    wanted = project.on("db-1", ROWS)
    project.fab("backup").well()
    said = project.fab("restore", "--replace").well().said
    for part in ("share", "queue", "database"):
        assert f"| {part} is in place" in said or f"{part} from the backup" in said
    assert project.on("db-1", ROWS) == wanted
    project.fab("provision").well()
    wait_for("pages of the child", 60, lambda: serving(project.cluster))
