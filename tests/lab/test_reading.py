"""What runs has read what is on disk, in whatever state its unit was found."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import pytest

from nodriza.inventory import Node
from nodriza.plan.plan import plan_node
from nodriza.resources import File
from tests.lab.project import Project, wait_for
from tests.lab.reading import services, unread
from tests.lab.visitor import serving

CHILD = "server-2"
SLOW = 8  # seconds that each start takes here; shorter than a run waits before it looks
SLOWER = 45  # longer
THREADS = r"""
echo disk $(sed -n 's/^threads = //p' /etc/uwsgi/videoteca.ini)
uwsgi-core --connect-and-read /run/uwsgi/videoteca.stats.sock 2>&1 | grep -c '"in_request"'
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """One central node, which answers for the name as well, a child and a video node."""
    project = Project.make(tmp_path_factory.mktemp("reading"), "reading", 213, children=1)
    project.data["nodes"]["server-1"]["roles"] = ["default", "dns"]
    project.write()
    with project.up("provision", "deploy"):
        wait_for("answer of every child", 120, lambda: serving(project.cluster))
        yield project


@pytest.fixture
def at_ease(project: Project) -> Iterator[Project]:
    """Afterwards every unit starts as quickly as before."""
    yield project
    for node in project.cluster.nodes:
        undo = "rm -rf /run/systemd/system/*.service.d; systemctl daemon-reload"
        project.on(node.name, undo)
    project.write()
    project.fab("provision").well()
    assert unread(project) == []


def slow(seconds: int, units: list[str]) -> str:
    """A shell script: each start of the units takes that long, and one is at work.

    "+": outside of what the unit locks itself into (systemd.service(5)).
    """
    lines = []
    for unit in units:
        folder = f"/run/systemd/system/{unit}.d"
        conf = f"[Service]\\nExecStartPost=+/bin/sleep {seconds}\\n"
        lines.append(f"mkdir -p {folder}; printf '{conf}' >{folder}/slow.conf")
    again = " ".join(shlex.quote(unit) for unit in units)
    return "\n".join([*lines, "systemctl daemon-reload", f"systemctl restart --no-block {again}"])


def followed(project: Project, node: Node) -> set[str]:
    """Every file that some service of the node follows."""
    files = {
        planned.resource.subject
        for planned in plan_node(node, project.cluster).resources
        if isinstance(planned.resource, File)
    }
    all_of_it = services(project, node).values()
    return files & {path for each in all_of_it for paths in each.values() for path in paths}


def test_first_provision_and_deploy__leave_nothing_unread(project: Project) -> None:
    assert unread(project) == []


def test_run_right_after_a_deploy__is_as_silent_as_any_other(project: Project) -> None:
    (project.folder / "videoteca/news.txt").write_text("new\n")
    project.fab("deploy").well()
    assert project.fab("provision", "--json").well().changed() == {}
    assert unread(project) == []


def test_run_right_after_a_boot__is_as_silent_as_any_other(project: Project) -> None:
    names = [node.name for node in project.cluster.nodes]
    for name in names:
        project.power_cut(name)
    for name in names:
        project.power_on(name)
    assert project.fab("provision", "--json").well().changed() == {}
    assert unread(project) == []


def test_every_file_that_a_service_follows__is_read_by_it_while_all_of_them_are_starting(
    at_ease: Project,
) -> None:
    """Found from the plans: whichever role they are of."""
    project, seen = at_ease, 0
    for node in project.cluster.nodes:
        units = [unit for unit in services(project, node) if unit.endswith(".service")]
        paths = sorted(followed(project, node))
        seen += len(paths)
        project.on(node.name, slow(SLOW, units))
        # As somebody would by hand, and so that each program can still read it.
        project.on(node.name, f"chmod g+w {' '.join(paths)}")
    assert seen > 20
    assert unread(project) != [], "the rule sees it"
    changed = project.fab("provision", "--json").well().changed()
    for node in project.cluster.nodes:
        files = {id.partition(":")[2] for id in changed[node.name] if id.startswith("file:")}
        assert followed(project, node) <= files
    assert unread(project) == []
    assert project.fab("provision", "--json").well().changed() == {}


@pytest.mark.parametrize("seconds", [SLOW, SLOWER])
def test_setting_that_is_changed_while_uwsgi_is_starting__is_what_runs(
    at_ease: Project, seconds: int
) -> None:
    at_ease.on(CHILD, slow(seconds, ["uwsgi.service"]))
    at_ease.write(threads=4)
    at_ease.fab(f"provision:{CHILD}").well()
    assert at_ease.on(CHILD, THREADS).split() == ["disk", "4", "8"]
    assert at_ease.on(CHILD, "ls /var/lib/nodriza/owed") == ""
    assert unread(at_ease) == []


def test_service_that_loses_the_share__waits_for_it_and_does_not_fail(at_ease: Project) -> None:
    """After the boot nobody else waits for it."""
    video, cover = "video-1", "mount -t tmpfs cover /srv/videoteca"
    at_ease.on(video, f"{cover}; systemctl restart --no-block celery; sleep 6")
    assert at_ease.on(video, "systemctl show celery -P SubState") == "start-pre\n"
    at_ease.on(video, "systemd-run --on-active=4 umount /srv/videoteca")
    assert at_ease.fab(f"provision:{video}", "--json").well().changed() == {}
    assert at_ease.on(video, "systemctl show celery -P NRestarts -P SubState") == "0\nrunning\n"
