"""A service of a cluster that serves goes to another node: its data first, or nothing moves."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.lab.project import FAB, Project, wait_for
from tests.lab.visitor import get, serving

NET = "198.18.184"
ROW = "INSERT INTO videos_note (author, text, node, written) VALUES ('ana', 'kept', 'x', NOW())"


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, times: dict[str, float]
) -> Iterator[Project]:
    """A cluster that serves, with a row, and with a machine on which nothing is yet."""
    project = Project.make(tmp_path_factory.mktemp("moving"), "labmoving", 184, children=1)
    project.times = times
    del project.data["nodes"]["video-1"]
    project.data["nodes"]["db-1"] = {"kind": "service", "private": f"{NET}.31"}
    project.write()
    with project.up("provision", "deploy"):
        wait_for("pages", 60, lambda: serving(project.cluster))
        project.on("server-1", "mariadb videoteca", stdin=ROW)
        yield project


def notes(project: Project) -> str:
    return get(project.cluster.node("server-2").web_address, "/notes/", project.cluster.domain)[2]


def test_database_that_moves_without_its_data__is_refused_before_anybody_is_sent_to_it(
    project: Project,
) -> None:
    assert "kept" in notes(project)
    before = project.on("server-2", "cat /etc/videoteca/videoteca.env")
    project.data["services"] = {"database": {"on": "db-1"}}
    project.write()
    for words in (("--check",), (), (":server-2",)):
        target = [word for word in words if word.startswith(":")]
        flags = [word for word in words if word.startswith("-")]
        done = project.fab(f"provision{''.join(target)}", *flags)
        assert done.exit == 1
        assert "mysql on server-1 has the data, and mysql on db-1 is to do it" in done.said
        assert "fab provision --moved database" in done.said
    assert project.on("server-2", "cat /etc/videoteca/videoteca.env") == before
    assert project.on("server-1", "systemctl is-active mariadb").strip() == "active"
    assert "kept" in notes(project)


def test_data_that_is_moved_first__is_there_afterwards(project: Project) -> None:
    """As docs/inventory.rst has it."""
    project.fab("provision:database").well()
    dump = "mariadb-dump --single-transaction --routines --triggers videoteca"
    pipe = f"{FAB} run:server-1 --raw '{dump}' | {FAB} run:db-1 --raw 'mariadb videoteca'"
    subprocess.run(
        ["bash", "-o", "pipefail", "-c", pipe],
        cwd=project.folder,
        env=project._environment,
        check=True,
        timeout=120,
    )
    project.fab("provision", "--moved", "database", timeout=900).well()
    assert "kept" in notes(project)
    assert project.on("server-1", "systemctl is-active mariadb || true").strip() == "inactive"
    assert project.on("server-1", "ls /var/lib/mysql/videoteca | head -1").strip()
    assert "videos_note" in project.on("db-1", "mariadb videoteca -Ne 'show tables'")
    assert project.fab("provision", "--json").well().changed() == {}


def test_word_that_keeps_no_data__is_refused_before_any_host_is_asked(project: Project) -> None:
    done = project.fab("provision", "--moved", "cache")
    assert done.exit == 2
    assert "database" in done.said
