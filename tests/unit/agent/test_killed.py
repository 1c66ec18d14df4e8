"""What a run owes to the next one: it was killed, or something in it failed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nodriza.agent.converge import Converge
from nodriza.agent.journal import Journal
from nodriza.host.errors import HostError
from nodriza.resources import (
    Command,
    Directory,
    File,
    Package,
    Service,
)
from tests.unit.agent.one_run import ME, READS, Run, conf
from tests.unit.agent.pretend import PretendHost


def _crash(root: Path, resources: list, step: int) -> bool:
    """Run in a child process that dies before its ``step``-th change; did it die?"""
    pid = os.fork()
    if pid == 0:
        try:
            Run(root, resources, "run-crash", crash_at=step)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9


@pytest.mark.parametrize("before", ["nothing", "a"])
def test_killed_before_any_step__the_next_run_ends_as_if_nothing_had_happened(tmp_path, before):
    """Every instant at which the host changes, one after the other."""

    def resources(text):
        file = File("/etc/web/web.conf", text, **ME)
        command = Command("note", ("true",), on_change=(file,))
        return [*conf(text), command]

    for step in range(100):
        root = tmp_path / str(step)
        root.mkdir()
        if before == "a":
            Run(root, resources("a"))
        if not _crash(root, resources("b"), step):
            break
        after = Run(root, resources("b"), "run-after")
        assert after.counts["failed"] == 0, after.events
        assert after.host.read("/etc/web/web.conf") == b"b"
        assert after.host.systemd["web"]["read"] == "b", f"restart lost at step {step}"
        assert after.journal.all_owed() == []
        assert not [*root.rglob("*.nodriza-*")], f"left at step {step}"
        assert Run(root, resources("b"), "run-last").counts["changed"] == 0
    assert 16 < step < 99


def test_unit_file_of_a_killed_run__is_owed_a_look_by_systemd(tmp_path):
    """Nobody else would let it be read: the file is as wanted by then."""
    folders = ("/etc", "/etc/systemd", "/etc/systemd/system")
    drop_in = File("/etc/systemd/system/a.timer", "[Timer]\n", **ME)
    resources = [*(Directory(path, **ME) for path in folders), drop_in]
    for step in range(100):
        root = tmp_path / str(step)
        root.mkdir()
        assert _crash(root, resources, step), "it was never killed with the file there"
        if (root / "etc/systemd/system/a.timer").exists():
            break
    after = Run(root, resources, "run-after")
    assert after.counts["changed"] == 0
    assert ["systemctl", "daemon-reload"] in after.host.calls


def test_apt_that_is_killed__leaves_the_restarts_that_its_packages_make_due(tmp_path, monkeypatch):
    """Some of them were installed by then, and look as wanted to the next run."""

    def killed(*_):
        raise HostError("apt-get: exit -9")

    monkeypatch.setattr(Package, "look", lambda _, many: [None for _ in many])
    monkeypatch.setattr(Package, "fix_together", killed)
    package = Package("nginx")
    run = Run(tmp_path, [package, Service("web", restart_on=(package,))])
    assert [(debt["id"], debt["action"]) for debt in run.journal.all_owed()] == [
        ("service:web", "restart")
    ]


def test_record_of_a_run__is_begun_before_its_first_change(tmp_path):
    """So that a run that was killed is in the history, with what it replaced."""
    seen = []

    class Watching(PretendHost):
        def mkdir(self, path):
            if path == "/etc":
                seen.append(self.list("/var/lib/nodriza/runs"))
            super().mkdir(path)

    host = Watching(tmp_path, READS)
    Converge(host, Journal(host, "run-1"), conf("a"), lambda _: None).run()
    assert seen == [["run-1"]]


def test_restart_that_an_earlier_run_owed__is_done_and_told(tmp_path):
    Run(tmp_path, conf("a"))
    Journal(PretendHost(tmp_path, READS), "run-2").owe("service:web", "restart", None, "03:00")
    run = Run(tmp_path, conf("a"), "run-3")
    owed = [event for event in run.events if event["event"] == "owed"]
    assert owed == [{"event": "owed", "id": "service:web", "action": "restart", "since": "03:00"}]
    assert run.events[-1]["words"] == "restart"
    assert run.host.systemd["web"]["times"] == 2
    assert run.journal.all_owed() == []


def test_command_that_failed__is_due_until_it_has_worked(tmp_path):
    """The file that it follows is as wanted by then."""
    file = File("/conf", "a", **ME)
    load = Command("load", ("test", "-e", f"{tmp_path}/server"), on_change=(file,))
    assert Run(tmp_path, [file, load]).statuses()["command:load"] == "failed"
    (tmp_path / "server").touch()
    run = Run(tmp_path, [file, load], "run-2")
    assert run.statuses() == {"file:/conf": "ok", "command:load": "changed"}
    assert Run(tmp_path, [file, load], "run-3").counts["changed"] == 0
