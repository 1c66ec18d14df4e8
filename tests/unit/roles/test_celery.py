"""What celery.service runs: a worker that another one follows, and that ends its task first.

The program is the one that nodes get. Its workers are shell scripts with a task.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nodriza.resources import Service
from tests.lab.project import wait_for
from tests.unit.roles.made import content, remake, resources

# It has a task while the file "task" of its release is there. SIGTERM is Celery's warm shutdown,
# SIGQUIT its cold one.
WORKER = """\
#!/bin/sh
release=$1
echo "begins $3" >>"$release/log"
test -e "$release/broken" && exit 3
trap 'echo cold >>"$release/log"; exit 0' QUIT
trap 'leave=1; echo told >>"$release/log"' TERM
: >"$2"
while test -z "$leave" || test -e "$release/task"; do sleep 0.05; done
echo done >>"$release/log"
"""


class Celery:
    """The program, with a place of its own; ``longest`` as in the inventory, in seconds."""

    def __init__(self, folder: Path, text: str, longest: int) -> None:
        self.folder, self.longest = folder, longest
        self.run = folder / "run"
        self.run.mkdir()
        self.reload = folder / "reload"
        self.reload.touch()
        worker = folder / "worker"
        worker.write_text(WORKER)
        worker.chmod(0o755)
        for was, now in (
            ("/usr/local/sbin/videoteca-celery-worker", worker),
            ("/opt/videoteca/current", folder / "current"),
            ("/srv/videoteca/reload", self.reload),
            ("/run/celery", self.run),
            ("PATIENCE = 120", "PATIENCE = 2"),
        ):
            assert str(was) in text
            text = text.replace(str(was), str(now))
        self.program = folder / "celery"
        self.program.write_text(text)

    def switch(self, name: str, *, task: bool = False, broken: bool = False) -> None:
        """Another release is the current one."""
        release = self.folder / name
        program = release / "venv/bin/celery"
        if not program.exists():
            program.parent.mkdir(parents=True)
            program.write_text("")
            program.chmod(0o755)
        for file, there in (("task", task), ("broken", broken)):
            if there:
                (release / file).touch()
        new = self.folder / "current.new"
        new.symlink_to(release)
        new.rename(self.folder / "current")

    @contextlib.contextmanager
    def running(self):
        argv = [sys.executable, self.program, str(self.longest)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as main:
            wait_for("socket", 30, (self.run / "ask").exists)
            try:
                yield main
            finally:
                for task in self.folder.glob("*/task"):
                    task.unlink()
                main.terminate()
                main.wait(10)

    def renew(self) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, self.program, "--renew"]
        return subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)

    def log(self, name: str) -> list[str]:
        path = self.folder / name / "log"
        return path.read_text().split("\n")[:-1] if path.exists() else []

    def wait(self, name: str, *words: str) -> None:
        wait_for(f"{words} of {name}", 30, lambda: self.log(name)[-len(words) :] == [*words])


@pytest.fixture
def celery(three_node, tmp_path):
    return Celery(tmp_path, content(three_node, "video-1", "/usr/local/sbin/videoteca-celery"), 60)


def test_reload__has_a_new_worker_at_once_and_lets_the_one_before_end_its_task(celery):
    celery.switch("old", task=True)
    with celery.running() as main:
        celery.wait("old", "begins ")
        celery.switch("new")
        began = time.monotonic()
        assert celery.renew().returncode == 0
        assert time.monotonic() - began < 5
        celery.wait("new", "begins 1")  # it is told that it is not alone
        celery.wait("old", "told")
        time.sleep(0.3)
        assert celery.log("old")[-1] == "told"
        (celery.folder / "old/task").unlink()
        celery.wait("old", "told", "done")
        assert main.poll() is None


def test_worker_without_a_task__ends_at_once(celery):
    celery.switch("old")
    with celery.running():
        celery.wait("old", "begins ")
        celery.switch("new")
        assert celery.renew().returncode == 0
        celery.wait("old", "told", "done")
        assert celery.log("new") == ["begins 1"]


def test_new_worker_that_does_not_come_up__fails_the_reload_and_the_one_before_works_on(celery):
    celery.switch("old")
    with celery.running() as main:
        celery.wait("old", "begins ")
        celery.switch("new", broken=True)
        done = celery.renew()
        assert done.returncode == 1
        assert "the new worker ended with 3. Why: journalctl -u celery" in done.stderr
        assert celery.log("old") == ["begins "]
        assert main.poll() is None


def test_stop__waits_for_the_tasks_of_all(celery):
    celery.switch("old", task=True)
    with celery.running() as main:
        celery.wait("old", "begins ")
        celery.switch("new", task=True)
        celery.renew()
        celery.wait("old", "told")
        main.send_signal(signal.SIGTERM)
        celery.wait("new", "told")
        time.sleep(0.3)
        assert main.poll() is None
        for name in ("old", "new"):
            (celery.folder / name / "task").unlink()
        assert main.wait(10) == 0
        assert celery.log("old")[-1] == celery.log("new")[-1] == "done"


def test_task_that_takes_longer_than_any__goes_back_to_the_queue(celery):
    celery.longest = 1
    celery.switch("old", task=True)
    with celery.running():
        celery.wait("old", "begins ")
        celery.switch("new")
        celery.renew()
        celery.wait("old", "told", "cold")


def kill_worker(celery: Celery, name: str) -> None:
    argv = ["pgrep", "-f", f"{celery.folder}/worker {celery.folder}/{name} "]
    pid = int(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()[0])
    os.kill(pid, signal.SIGKILL)


def test_worker_that_ends_by_itself__is_a_failure_that_systemd_sees(celery):
    celery.switch("old")
    with celery.running() as main:
        celery.wait("old", "begins ")
        wait_for("worker", 30, lambda: list(celery.run.glob("ready-*")))
        kill_worker(celery, "old")
        assert main.wait(10) == 1


def test_worker_that_ends_by_itself__begins_again_where_another_still_has_a_task(celery):
    celery.switch("old", task=True)
    with celery.running() as main:
        celery.wait("old", "begins ")
        celery.switch("new")
        celery.renew()
        kill_worker(celery, "new")
        celery.wait("new", "begins 1", "begins 1")
        assert main.poll() is None
        assert celery.log("old")[-1] == "told"


def test_touch_of_the_reload_file__is_followed_as_a_reload_is(celery):
    celery.switch("old")
    with celery.running():
        celery.wait("old", "begins ")
        celery.switch("new")
        os.utime(celery.reload, (1, 1))
        celery.wait("new", "begins 1")
        celery.wait("old", "told", "done")


def test_before_the_first_deploy__it_is_up_and_waits(celery):
    with celery.running() as main:
        assert celery.renew().returncode == 0
        celery.switch("new")
        assert celery.renew().returncode == 0
        celery.wait("new", "begins ")
        assert main.poll() is None


def test_longest_task__is_one_number_for_unit_worker_and_broker(three_node):
    tasks = three_node.app.tasks.model_copy(update={"longest": 5000})
    cluster = remake(three_node, app=three_node.app.model_copy(update={"tasks": tasks}))
    unit = content(cluster, "video-1", "/etc/systemd/system/celery.service")
    assert "ExecStart=/usr/local/sbin/videoteca-celery 5000\n" in unit
    assert "TimeoutStopSec=5060\n" in unit
    for name in ("server-2", "video-1"):
        env = content(cluster, name, "/etc/videoteca/videoteca.env")
        assert 'CELERY_VISIBILITY_TIMEOUT="10000"\n' in env
    (service,) = [s for s in resources(cluster, "video-1", Service) if s.unit == "celery"]
    assert service.patience > 5060  # a run that restarts it waits as long


def test_worker__is_reloaded_for_what_it_reads_and_restarted_for_what_the_unit_reads(three_node):
    (service,) = [s for s in resources(three_node, "video-1", Service) if s.unit == "celery"]
    assert {"file:/etc/videoteca/videoteca.env", "link:/opt/videoteca/current"} <= {
        *service.reload_on
    }
    assert set(service.restart_on) == {
        "file:/usr/local/sbin/videoteca-celery",
        "file:/etc/systemd/system/celery.service",
    }


def test_worker__has_no_clock_of_its_own(three_node):
    """There may be two for a while, and each would send what is due."""
    worker = content(three_node, "video-1", "/usr/local/sbin/videoteca-celery-worker")
    run = worker[worker.index("\nexec ") :]
    assert "--beat" not in run
    assert " -B" not in run
