"""The loop on a host in a temporary folder: the laws, one by one."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from nodriza.agent.converge import Converge
from nodriza.agent.host import HostError, Stopped
from nodriza.agent.journal import Busy, Journal
from nodriza.resources import (
    Absent,
    Command,
    DatabaseUser,
    Directory,
    File,
    Link,
    Package,
    Service,
    Touch,
    Venv,
    gap_between,
)
from tests.unit.agent.pretend import PretendHost

ME = {"owner": Path.home().owner(), "group": Path.home().group()}


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Pretended services settle at once."""
    monkeypatch.setattr("nodriza.resources.service.SETTLE", 0)


@pytest.fixture
def _at_once():
    """What waits where it should not is ended."""

    def waits(*_):
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, waits)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


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


def test_check__says_what_the_run_would_refuse_and_leaves_the_rest(tmp_path, monkeypatch):
    def full(self, host):
        raise HostError(f"no room for {self.path}")

    monkeypatch.setattr(Link, "vet", full)
    predicted = Run(tmp_path, conf("a"), check=True)
    assert os.listdir(tmp_path) == []
    assert predicted.statuses() == Run(tmp_path, conf("a")).statuses()
    assert predicted.statuses()["link:/etc/web/enabled"] == "failed"


def test_check__looks_anew_at_what_depends_on_an_answer_that_it_has_got(tmp_path, monkeypatch):
    """Whether a migration is pending is known once the release was asked."""
    monkeypatch.setattr(Venv, "look", lambda host, many: [{"installed": host.tried == {"b"}}])
    first = Link("/b", "x")
    monkeypatch.setattr(Link, "foretell", lambda _, host: host.tried.add("b"))
    run = Run(tmp_path, [first, Venv("/venv")], check=True)
    assert run.statuses() == {"link:/b": "changed", "venv:/venv": "ok"}


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
    words = run.events[-1]["words"]
    assert words.startswith("systemctl reload-or-restart web.service failed")
    assert words.endswith("the log")


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


def test_stop_in_the_middle_of_what_can_be_undone__is_no_failure(tmp_path, monkeypatch):
    """A source that is on its way is given up, and what was there of it is gone."""

    def stopped(*_):
        raise Stopped("the run was stopped")

    monkeypatch.setattr(Link, "fix", stopped)
    run = Run(tmp_path, conf("a"))
    assert run.counts["failed"] == 0
    skipped = [event for event in run.events if event.get("status") == "skipped"]
    assert [event["id"] for event in skipped] == ["link:/etc/web/enabled", "service:web"]
    assert {event["words"] for event in skipped} == {"the run was interrupted"}


@pytest.mark.usefixtures("_at_once")
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


def test_service_that_is_refused_as_it_was__brings_no_file_back_and_says_so(tmp_path):
    (tmp_path / "etc/web").mkdir(parents=True)
    (tmp_path / "etc/web/stray").write_text("bad")
    run = Run(tmp_path, [Service("web", check=("checker", "/etc/web/stray"))])
    assert run.counts["failed"] == 1
    assert [e for e in run.events if e["event"] == "restored"] == []


def test_fix_that_changes_nothing__is_a_failure_whatever_its_exit_code(tmp_path):
    """What counts is what the host shows afterwards."""
    late = File("/late", "x", **ME)
    run = Run(tmp_path, [Command("load", ("true",), creates="/loaded"), late])
    assert run.statuses() == {"command:load": "failed", "file:/late": "skipped"}
    assert run.events[-2]["words"] == "command:load was changed, and still done is False"


def test_packages_that_apt_says_are_there_and_are_not__are_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(Package, "look", lambda _, many: [None for _ in many])
    monkeypatch.setattr(Package, "fix_together", lambda *_: None)
    run = Run(tmp_path, [Package("nginx"), Package("redis"), File("/late", "x", **ME)])
    assert set(run.statuses().values()) == {"failed", "skipped"}
    assert "package:nginx was changed, and still exists is False" in run.events[-2]["words"]


def test_value_that_is_hidden__is_not_in_the_words_of_a_failure_either(tmp_path, monkeypatch):
    monkeypatch.setattr(DatabaseUser, "look", lambda *_: [{"password": "*OLD"}])
    monkeypatch.setattr(DatabaseUser, "fix", lambda *_: None)
    run = Run(tmp_path, [DatabaseUser("app", "%", "in-clear-text")])
    said = str(run.events)
    assert "password is not as wanted" in said
    assert "*OLD" not in said
    assert "in-clear-text" not in said


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


def test_reload_after_a_restart_that_is_owed__stays_a_restart(tmp_path):
    journal = Journal(PretendHost(tmp_path, READS), "run-1")
    journal.owe("service:web", "restart", None, "03:00")
    journal.owe("service:web", "reload", None, "04:00")
    assert journal.owed("service:web")["action"] == "restart"


def test_diff_that_can_t_be_made__does_not_end_the_run(tmp_path, monkeypatch):
    def broken(*_):
        raise OSError("a share that is away")

    monkeypatch.setattr(File, "diff", broken)
    assert Run(tmp_path, conf("a"), diff=True).counts["failed"] == 0


@pytest.mark.usefixtures("_at_once")
def test_lock__goes_with_its_process_and_no_sooner(tmp_path):
    """A run that was killed holds nothing; one that is at work is not to be passed by."""
    host = PretendHost(tmp_path, READS)
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        Journal(host, "run-1").lock({"who": "ana", "from": "a laptop with a long name"})
        os.write(told, b".")
        signal.pause()
    os.read(ready, 1)
    with pytest.raises(Busy):
        Journal(host, "run-2").lock({"who": "eva"})
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    Journal(host, "run-3").lock({"who": "eva"})
    assert json.loads((tmp_path / "var/lib/nodriza/lock").read_text()) == {"who": "eva"}


def test_journal__is_for_root_only(tmp_path):
    """It may hold what files with secrets held before."""
    before = os.umask(0)
    try:
        Run(tmp_path, conf("a"))
        Run(tmp_path, conf("b"), "run-2")
        Journal(PretendHost(tmp_path, READS), "run-3").owe("x", "run", "/etc/web/web.conf", "")
    finally:
        os.umask(before)
    home = tmp_path / "var/lib/nodriza"
    for path in (home, *home.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


def test_check__installs_nothing(tmp_path, monkeypatch):
    def install(*_):
        raise AssertionError("it was told to check")

    monkeypatch.setattr(Package, "look", lambda _, many: [None for _ in many])
    monkeypatch.setattr(Package, "fix_together", install)
    run = Run(tmp_path, [Package("nginx"), *conf("a")], check=True)
    assert run.statuses()["package:nginx"] == "changed"
    assert os.listdir(tmp_path) == []


def test_what_a_fix_has_brought_about__needs_no_other_fix(tmp_path):
    script = f"printf x >{tmp_path}/b && chmod 644 {tmp_path}/b"
    command = Command("make", ("sh", "-c", script), creates="/b")
    run = Run(tmp_path, [command, File("/b", "x", **ME)])
    assert run.statuses() == {"command:make": "changed", "file:/b": "ok"}


def test_command__is_asked_after_the_one_in_front_of_it_has_run(tmp_path):
    both = Command("both", ("touch", f"{tmp_path}/a", f"{tmp_path}/b"), creates="/a")
    run = Run(tmp_path, [both, Command("never", ("false",), creates="/b")])
    assert run.statuses() == {"command:both": "changed", "command:never": "ok"}


def test_command_that_failed__is_due_until_it_has_worked(tmp_path):
    """The file that it follows is as wanted by then."""
    file = File("/conf", "a", **ME)
    load = Command("load", ("test", "-e", f"{tmp_path}/server"), on_change=(file,))
    assert Run(tmp_path, [file, load]).statuses()["command:load"] == "failed"
    (tmp_path / "server").touch()
    run = Run(tmp_path, [file, load], "run-2")
    assert run.statuses() == {"file:/conf": "ok", "command:load": "changed"}
    assert Run(tmp_path, [file, load], "run-3").counts["changed"] == 0


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


def test_attribute_that_the_host_does_not_show__is_a_gap():
    directory = Directory("/a", mode="0750", **ME)
    seen = {key: value for key, value in directory.wanted().items() if key != "mode"}
    assert gap_between(directory, seen) == {"mode": (None, "0750")}


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


def test_lock__is_not_taken_through_a_link(tmp_path):
    (tmp_path / "var/lib/nodriza").mkdir(parents=True)
    (tmp_path / "precious").write_text("x")
    (tmp_path / "var/lib/nodriza/lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic link"):
        Journal(PretendHost(tmp_path, READS), "run-1").lock({"who": "ana"})
    assert (tmp_path / "precious").read_text() == "x"
