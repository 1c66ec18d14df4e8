"""What runs beside the web: for ever, every few seconds, once; it follows releases, and a release
in which it does not stay up is none.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.project import Project, wait_for

NET = "198.18.92"
NODES = ("server-1", "server-2", "worker-1")
LOG = "/srv/videoteca/media/log"
UNIT = "videoteca-process"
PROCESSES = {
    "relay": "manage.py relay --word 'two words; and $HOME'",
    "consumer": {"run": "manage.py consumer", "on": "each", "memory_mb": 128, "cpus": 0.5},
    "tick": {"run": "manage.py tick", "every": "10 seconds"},
}
# Each writes down what it is, where it runs and the release that it runs.
COMMAND = """\
import os, socket, sys, time
from django.core.management.base import BaseCommand

class Command(BaseCommand):
    def add_arguments(self, parser):
        parser.add_argument("--word", default="-")

    def handle(self, *args, word, **options):
        release = os.getcwd().split("/")[-2]
        with open("/srv/videoteca/media/log", "a") as log:
            print("{name}", socket.gethostname(), release, word, file=log, flush=True)
            {then}
"""
FOR_EVER = "time.sleep(100000)"


def write(project: Project, name: str, then: str) -> None:
    """A command of the project's."""
    folder: Path = project.folder / "videoteca/videos/management/commands"
    (folder / f"{name}.py").write_text(COMMAND.format(name=name, then=then))


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, times: dict[str, float]
) -> Iterator[Project]:
    """A central node, a child and a worker, deployed."""
    folder = tmp_path_factory.mktemp("processes")
    project = Project.make(folder, "labprocs", 92, children=1, videos=0)
    project.times = times
    project.data["nodes"]["worker-1"] = {"kind": "worker", "private": f"{NET}.33"}
    project.data["app"]["processes"] = PROCESSES
    project.write()
    write(project, "relay", FOR_EVER)
    write(project, "consumer", FOR_EVER)
    write(project, "tick", "time.sleep(0.1)")
    with project.up("provision", "deploy"):
        yield project


def running(project: Project, command: str) -> dict[str, int]:
    """How many of a command run on each node; those with none are left out."""
    found = {}
    for node in NODES:
        lines = [argv.split("\0") for _, argv in project.processes(node)]
        mine = [words for words in lines if words[1:3] == ["manage.py", command]]
        if mine:
            found[node] = len(mine)
    return found


def log(project: Project, name: str) -> list[list[str]]:
    lines = project.on("server-1", f"cat {LOG}").splitlines()
    return [line.split(" ", 3)[1:] for line in lines if line.startswith(f"{name} ")]


def current(project: Project) -> str:
    return project.on("server-2", "basename $(readlink /opt/videoteca/current)").strip()


def failed(project: Project) -> dict[str, list[str]]:
    """What the status says is wrong, by node."""
    said = json.loads(project.fab("status", "--json").stdout)
    # Old releases are looked after by the next deploy that succeeds.
    wrong = {
        node: [words for words in its["wrong"] if not words.startswith("oldreleases:")]
        for node, its in said.items()
    }
    return {node: words for node, words in wrong.items() if words}


def peace(project: Project, seconds: float = 90) -> None:
    """Nothing is wrong any more; what was restarted again and again is watched for a minute."""
    until = time.monotonic() + seconds
    while wrong := failed(project):
        assert time.monotonic() < until, wrong
        time.sleep(2)


def test_each_runs_where_it_is_planned_and_once_is_once(project: Project) -> None:
    wait_for("relay", 60, lambda: running(project, "relay") == {"worker-1": 1}, every=0.5)
    assert running(project, "consumer") == {"server-2": 1, "worker-1": 1}
    assert log(project, "relay")[-1][2] == "two words; and $HOME"
    assert project.fab("provision", "--json").well().changed() == {}
    assert failed(project) == {}


def test_it_runs_as_the_application_with_its_bounds_and_its_log(project: Project) -> None:
    show = f"systemctl show {UNIT}-consumer -P MemoryMax -P CPUQuotaPerSecUSec -P User"
    assert {*project.on("worker-1", show).split()} == {str(128 * 1024**2), "500ms", "videoteca"}
    said = project.fab("logs:worker-1", "--unit", f"{UNIT}-consumer").well().stdout
    assert f"working with {current(project)}" in said


def test_timer_runs_again_and_again_never_twice_at_once_and_is_told(project: Project) -> None:
    before = len(log(project, "tick"))
    wait_for("three runs", 60, lambda: len(log(project, "tick")) >= before + 3, every=0.5)
    assert {node for node, _, _ in log(project, "tick")} == {"worker-1"}
    told = re.compile(r"tick on worker-1: last run [0-9]+ s ago, success; next in [0-9]+ s")
    status = lambda: told.search(project.fab("status:worker-1").well().stdout)  # noqa: E731
    wait_for("a look between two runs", 60, status, every=1)


def test_release_is_followed_by_each(project: Project) -> None:
    write(project, "relay", f"{FOR_EVER}  # another release")
    project.fab("deploy", timeout=600).well()
    release = current(project)
    assert running(project, "relay") == {"worker-1": 1}
    assert running(project, "consumer") == {"server-2": 1, "worker-1": 1}
    last = {
        (name, node): id for name in ("relay", "consumer") for node, id, _ in log(project, name)
    }
    assert set(last.values()) == {release}
    wait_for("tick of it", 30, lambda: log(project, "tick")[-1][1] == release, every=1)


def test_release_in_which_one_does_not_stay_up_is_refused_and_gone_back_from(
    project: Project,
) -> None:
    before = current(project)
    write(project, "relay", "time.sleep(2); sys.exit(3)")
    done = project.fab("deploy", timeout=600)
    write(project, "relay", FOR_EVER)
    assert done.exit != 0
    assert f"{UNIT}-relay" in done.said, done.said[-3000:]
    assert "goes on serving" in done.said, done.said[-3000:]
    assert current(project) == before
    wait_for("the relay of before", 30, lambda: running(project, "relay") == {"worker-1": 1})
    assert log(project, "relay")[-1][1] == before
    # What the run that ended early left due is done by the next one.
    project.fab("provision", timeout=600).well()
    peace(project)


def test_crash_loop_is_seen_between_its_restarts_too(project: Project) -> None:
    unit = f"{UNIT}-relay"
    drop_in = f"/run/systemd/system/{unit}.service.d"
    crash = "[Service]\nExecStart=\nExecStart=/bin/sh -c 'sleep 4; exit 3'\nRestartSec=1\n"
    project.on("worker-1", f"mkdir -p {drop_in} && cat >{drop_in}/x.conf", stdin=crash)
    project.on("worker-1", f"systemctl daemon-reload && systemctl restart {unit}")
    wait_for(
        "two restarts",
        60,
        lambda: int(project.on("worker-1", f"systemctl show -P NRestarts {unit}")) >= 2,
        every=0.5,
    )
    wait_for(
        "a start",
        20,
        lambda: project.on("worker-1", f"systemctl is-active {unit} || true").strip() == "active",
    )
    wrong = failed(project)["worker-1"]
    assert any(unit in words for words in wrong), wrong
    project.on("worker-1", f"rm -r {drop_in}; systemctl daemon-reload; systemctl restart {unit}")
    peace(project)


def test_timer_that_fails_is_told_until_it_does_not(project: Project) -> None:
    write(project, "tick", "sys.exit('no luck')")
    project.fab("deploy", timeout=600).well()
    wrong = wait_for("failure", 60, lambda: failed(project).get("worker-1"), every=1)
    assert any(f"{UNIT}-tick" in words and "failed" in words for words in wrong), wrong
    write(project, "tick", "time.sleep(0.1)")
    project.fab("deploy", timeout=600).well()
    peace(project)


def test_one_that_moves_is_never_there_twice(project: Project) -> None:
    """The node that is to have it comes first; the other one has heard of nothing yet."""
    # "one" is a worker while there is one; without it, the child.
    project.data["nodes"]["worker-1"]["kind"] = "service"
    project.write()
    project.fab("provision:server-2", timeout=600).well()
    assert running(project, "relay") == {"worker-1": 1}
    assert project.on("server-2", f"systemctl is-active {UNIT}-relay").strip() == "active"
    project.fab("provision", timeout=600).well()
    wait_for("it on the other node", 30, lambda: running(project, "relay") == {"server-2": 1})
    assert (
        project.on("worker-1", f"ls /etc/systemd/system | grep -c {UNIT} || true").strip() == "0"
    )
