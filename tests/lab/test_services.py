"""Services with a node of their own: MariaDB here, Celery's queue there, the files on a third, and
a worker besides."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nodriza.smoke import Site
from nodriza.smoke.checks import services_refuse_strangers
from tests.lab.project import Project

NET = "198.18.70"
NODES = {
    "db-1": {"kind": "service", "private": f"{NET}.31"},
    "queue-1": {"kind": "service", "private": f"{NET}.32"},
    "files-1": {"kind": "service", "private": f"{NET}.34", "memory_mb": 768},
    # Not from the usual queue: its tasks want ffmpeg.
    "worker-1": {
        "kind": "worker",
        "private": f"{NET}.33",
        "variables": {"celery_queues": ["mail", "news"]},
    },
}
SERVICES = {
    "share": {"on": "files-1"},
    "database": {"on": "db-1"},
    "broker": {"on": "queue-1"},
    "data": {"engine": "redis", "on": "queue-1"},
    "beat": {"on": "worker-1"},
}


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, times: dict[str, float]
) -> Iterator[Project]:
    """Freshly provisioned and deployed with four services placed."""
    project = Project.make(tmp_path_factory.mktemp("services"), "labservices", 70)
    project.times = times
    project.data["nodes"].update(NODES)
    project.data["services"] = SERVICES
    project.write()
    with project.up("provision", "deploy"):
        yield project


def test_cluster__serves_and_is_well(project: Project) -> None:
    project.fab("smoke", timeout=900).well()
    assert project.fab("provision", "--json").well().changed() == {}


def listens(project: Project, node: str, port: int) -> bool:
    return bool(project.on(node, f"ss -Hltn sport = :{port}").strip())


def test_service__runs_on_its_node_and_nowhere_else(project: Project) -> None:
    names = [node.name for node in project.cluster.nodes]
    for port, where in ((3306, "db-1"), (6379, "queue-1"), (6380, "server-1"), (6381, "queue-1")):
        assert [name for name in names if listens(project, name, port)] == [where], port
    site = Site(project.cluster)
    services_refuse_strangers(site)


def test_releases__are_made_where_the_files_are(project: Project) -> None:
    assert project.cluster.builder.name == "files-1"
    record = "/var/lib/nodriza/releases/videoteca.jsonl"
    assert project.on("files-1", f"cat {record}").count('"release"') >= 1
    assert project.on("server-1", f"test -e {record} || echo no").strip() == "no"
    assert "files-1" in project.on("server-2", "findmnt -no SOURCE /srv/videoteca; cat /etc/hosts")


def test_boot__starts_only_what_is_placed(project: Project) -> None:
    """Debian enables its own server of Redis when the package comes."""
    said = project.on("server-1", "systemctl is-enabled redis-server || true")
    assert said.strip() == "disabled"


def test_rows__are_on_the_node_of_the_database(project: Project) -> None:
    app = project.cluster.app
    tables = project.on("db-1", f"mariadb {app.name} -Ne 'show tables'").split()
    assert "django_migrations" in tables
    assert project.on("server-1", "command -v mariadbd || true").strip() == ""


def test_worker__takes_tasks_from_the_queue_and_has_no_ffmpeg(project: Project) -> None:
    assert f"{NET}.32:6379" in project.on("worker-1", "ss -Htnp | grep celery")
    assert "--queues=mail,news" in project.on("worker-1", "pgrep -fa 'celery.* worker'")
    assert project.on("worker-1", "command -v ffmpeg || true").strip() == ""
    assert project.on("video-1", "command -v ffmpeg").strip()


def test_clock__runs_once_in_the_cluster(project: Project) -> None:
    running = {
        node.name: project.on(node.name, "pgrep -fc '[c]elery.* beat' || true").strip()
        for node in project.cluster.nodes
    }
    assert {name for name, number in running.items() if number not in ("", "0")} == {"worker-1"}


def test_data_of_the_application__never_go(project: Project) -> None:
    as_admin = "set -a; . /etc/redis/admin.env; redis-cli --user admin"
    said = project.on("queue-1", f"{as_admin} -p 6381 config get maxmemory-policy")
    assert said.split() == ["maxmemory-policy", "noeviction"]
    told = project.on("server-2", f"cat {project.cluster.app.environment_file}")
    assert f"@{NET}.32:6381/" in told


def test_service__is_a_word_for_its_node(project: Project) -> None:
    done = project.fab("run:database,broker", "hostname").well()
    assert "db-1" in done.said
    assert "queue-1" in done.said
    assert "server-1" not in done.said


def test_cache_that_moves__is_taken_away_where_it_was(project: Project) -> None:
    project.data["services"] = {**SERVICES, "cache": {"on": "queue-1"}}
    project.write()
    project.fab("provision").well()
    assert listens(project, "queue-1", 6380)
    assert not listens(project, "server-1", 6380)
    assert f"@{NET}.32:6380/" in project.on(
        "server-2", f"cat {project.cluster.app.environment_file}"
    )
    project.fab("smoke", timeout=900).well()
    assert project.fab("provision", "--json").well().changed() == {}


def test_new_release__reaches_the_clock(project: Project) -> None:
    before = project.on("worker-1", "systemctl show -P MainPID beat").strip()
    views = project.folder / "videoteca" / "videoteca" / "settings.py"
    views.write_text(f"{views.read_text()}\n# another release\n")
    project.fab("deploy").well()
    after = project.on("worker-1", "systemctl show -P MainPID beat").strip()
    assert before != after
    current = project.on("worker-1", f"readlink {project.cluster.app.current}").strip()
    working = project.on("worker-1", f"readlink /proc/{after}/cwd").strip()
    assert working.startswith(current)
