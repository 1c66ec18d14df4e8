"""The loop on a host in a temporary folder: the laws, one by one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nodriza.agent.converge import Converge
from nodriza.agent.journal import Busy, Journal
from nodriza.resources import Absent, Command, Directory, File, Link, Service, Touch
from tests.unit.agent.pretend import PretendHost

ME = {"owner": Path.home().owner(), "group": Path.home().group()}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Pretended services settle at once."""
    monkeypatch.setattr("nodriza.resources.service.SETTLE", 0)


READS = {"web": "/etc/web/web.conf"}


def conf(text: str) -> list:
    """A service, the directory and the file that it reads, and a link beside it."""
    file = File("/etc/web/web.conf", text, **ME)
    link = Link("/etc/web/enabled", "web.conf")
    return [
        Directory("/etc", **ME),
        Directory("/etc/web", **ME),
        file,
        link,
        Service("web", check=("checker", "/etc/web/web.conf"), reload_on=(file,)),
    ]


class Run:
    """One run over one folder; ``events`` and ``counts`` are what it said."""

    def __init__(self, root: Path, resources: list, run: str = "run-1", **options) -> None:
        self.host = PretendHost(root, READS, options.pop("crash_at", None))
        self.journal = Journal(self.host, run)
        self.events: list[dict] = []
        loop = Converge(self.host, self.journal, resources, self.events.append, **options)
        if loop.check:
            self.counts = loop.run()
            return
        self.journal.lock({})
        self.counts = loop.run()
        self.journal.remember({"counts": self.counts}, {})
        self.journal.unlock()

    def statuses(self) -> dict[str, str]:
        return {e["id"]: e["status"] for e in self.events if e["event"] == "resource"}


def test_second_run__changes_nothing_and_says_so(tmp_path):
    assert Run(tmp_path, conf("a")).counts["changed"] == 5
    again = Run(tmp_path, conf("a"), "run-2")
    assert again.counts == {"ok": 5, "changed": 0, "failed": 0, "skipped": 0}


def test_check__predicts_what_apply_does_on_a_bare_host(tmp_path):
    predicted = Run(tmp_path, conf("a"), check=True)
    assert os.listdir(tmp_path) == []
    assert predicted.statuses() == Run(tmp_path, conf("a")).statuses()


def test_check__predicts_a_reload(tmp_path):
    Run(tmp_path, conf("a"))
    predicted = Run(tmp_path, conf("b"), check=True)
    applied = Run(tmp_path, conf("b"), "run-2")
    assert predicted.statuses() == applied.statuses()
    words = [e["words"] for e in predicted.events if e.get("id") == "service:web"]
    assert words == ["reload"]


def test_service__reads_the_changed_file_once(tmp_path):
    Run(tmp_path, conf("a"))
    Run(tmp_path, conf("b"), "run-2")
    run = Run(tmp_path, conf("b"), "run-3")
    assert run.host.systemd["web"]["read"] == "b"
    assert run.host.systemd["web"]["times"] == 2


def test_rejected_file__goes_back_and_the_service_runs_as_before(tmp_path):
    Run(tmp_path, conf("a"))
    run = Run(tmp_path, conf("bad"), "run-2")
    assert run.counts["failed"] == 1
    assert run.host.read("/etc/web/web.conf") == b"a"
    assert run.host.systemd["web"] == {"running": True, "enabled": True, "read": "a", "times": 1}
    assert "checker: bad word" in run.events[-1]["words"]
    assert run.journal.all_owed() == []


def test_service_that_does_not_come_up__gets_its_old_file_back(tmp_path):
    Run(tmp_path, conf("a"))
    run = Run(tmp_path, conf("crashes"), "run-2")
    assert run.counts["failed"] == 1
    assert run.host.read("/etc/web/web.conf") == b"a"
    assert run.host.systemd["web"]["running"]
    assert run.host.systemd["web"]["read"] == "a"


def test_rejected_first_file__leaves_none(tmp_path):
    run = Run(tmp_path, conf("bad"))
    assert run.host.read("/etc/web/web.conf") is None
    assert Run(tmp_path, conf("a"), "run-2").counts["failed"] == 0


def test_failure__leaves_what_follows_alone(tmp_path):
    blocked = [Directory("/etc", **ME), Directory("/etc/a/b", **ME), File("/etc/late", "x", **ME)]
    run = Run(tmp_path, blocked)
    assert run.statuses() == {
        "directory:/etc": "changed",
        "directory:/etc/a/b": "failed",
        "file:/etc/late": "skipped",
    }


def test_restart__outweighs_reload(tmp_path):
    Run(tmp_path, conf("a"))
    file, extra = File("/etc/web/web.conf", "b", **ME), File("/etc/web/extra", "x", **ME)
    resources = [file, extra, Service("web", reload_on=(file,), restart_on=(extra,))]
    run = Run(tmp_path, resources, "run-2")
    assert run.events[-1]["words"] == "restart"


def test_absent__is_put_back_when_the_service_rejects_its_going(tmp_path):
    Run(tmp_path, conf("a"))
    (tmp_path / "etc/web/other.conf").write_text("needed")
    gone = Absent("/etc/web/other.conf")
    bad = File("/etc/web/web.conf", "bad", **ME)
    service = Service("web", check=("checker", "/etc/web/web.conf"), reload_on=(gone, bad))
    Run(tmp_path, [gone, bad, service], "run-2")
    assert (tmp_path / "etc/web/other.conf").read_text() == "needed"


def test_on_change__runs_once_for_a_change(tmp_path):
    file = File("/web.conf", "a", **ME)
    resources = [file, Touch("/reload", on_change=(file,), **ME)]
    Run(tmp_path, resources)
    os.utime(tmp_path / "reload", (1, 1))
    assert Run(tmp_path, resources, "run-2").counts["changed"] == 0
    changed = File("/web.conf", "b", **ME)
    Run(tmp_path, [changed, Touch("/reload", on_change=(changed,), **ME)], "run-3")
    assert (tmp_path / "reload").stat().st_mtime > 1


def test_stop__skips_the_rest_and_says_why(tmp_path):
    run = Run(tmp_path, conf("a"), stop=lambda: True)
    assert run.counts["skipped"] == 5
    assert run.events[0]["words"] == "the run was interrupted"


def test_lock__second_run_is_told_who_holds_it(tmp_path):
    host = PretendHost(tmp_path, READS)
    first, second = Journal(host, "run-1"), Journal(host, "run-2")
    first.lock({"who": "ana", "from": "laptop", "since": "03:00"})
    with pytest.raises(Busy) as busy:
        second.lock({"who": "eva"})
    assert busy.value.holder == {"who": "ana", "from": "laptop", "since": "03:00"}


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


def test_checker_s_no__leaves_the_service_alone(tmp_path):
    """It has not seen the new file: a restart could only do harm."""
    Run(tmp_path, conf("a"))
    run = Run(tmp_path, conf("bad"), "run-2")
    assert run.host.systemd["web"]["times"] == 1


def test_somebody_else_s_mistake__does_not_bring_a_running_service_down(tmp_path):
    """The checker refuses the old files as well."""
    Run(tmp_path, conf("a"))
    (tmp_path / "etc/web/stray").write_text("bad")
    file = File("/etc/web/web.conf", "b", **ME)
    service = Service("web", check=("checker", "/etc/web/stray"), restart_on=(file,))
    run = Run(tmp_path, [file, service], "run-2")
    assert run.host.read("/etc/web/web.conf") == b"a"
    assert run.host.systemd["web"]["running"]
    assert run.host.systemd["web"]["times"] == 1
    assert [e["paths"] for e in run.events if e["event"] == "restored"] == [["/etc/web/web.conf"]]
