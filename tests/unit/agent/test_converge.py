"""The loop on a host in a temporary folder: the laws, one by one."""

from __future__ import annotations

import os

from nodriza.host.errors import Stopped
from nodriza.resources import (
    Absent,
    Command,
    DatabaseUser,
    Directory,
    File,
    Link,
    Package,
    Served,
    Service,
    Touch,
    gap_between,
)
from tests.unit.agent.one_run import ME, Run, conf


def test_second_run__changes_nothing_and_says_so(tmp_path):
    assert Run(tmp_path, conf("a")).counts["changed"] == 5
    again = Run(tmp_path, conf("a"), "run-2")
    assert again.counts == {"ok": 5, "changed": 0, "failed": 0, "skipped": 0}


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


def test_what_a_fix_has_brought_about__needs_no_other_fix(tmp_path):
    script = f"printf x >{tmp_path}/b && chmod 644 {tmp_path}/b"
    command = Command("make", ("sh", "-c", script), creates="/b")
    run = Run(tmp_path, [command, File("/b", "x", **ME)])
    assert run.statuses() == {"command:make": "changed", "file:/b": "ok"}


def test_command__is_asked_after_the_one_in_front_of_it_has_run(tmp_path):
    both = Command("both", ("touch", f"{tmp_path}/a", f"{tmp_path}/b"), creates="/a")
    run = Run(tmp_path, [both, Command("never", ("false",), creates="/b")])
    assert run.statuses() == {"command:both": "changed", "command:never": "ok"}


def test_attribute_that_the_host_does_not_show__is_a_gap():
    directory = Directory("/a", mode="0750", **ME)
    seen = {key: value for key, value in directory.wanted().items() if key != "mode"}
    assert gap_between(directory, seen) == {"mode": (None, "0750")}


def test_noun_that_is_asked_alone__is_looked_at_once_more_after_a_change_and_no_more(
    tmp_path, monkeypatch
):
    """To look at a release that is tried is to import it: half a second of a processor."""
    looks = []

    def look(host, many):
        looks.append([host.read("/first") is not None for _ in many])
        return [one.wanted() for one in many]

    monkeypatch.setattr(Served, "look", look)
    items = [File("/first", "a", **ME), Served("/record", "1", current="/current")]
    run = Run(tmp_path, items)
    assert run.counts["changed"] == 1
    assert looks == [[False], [True]]
