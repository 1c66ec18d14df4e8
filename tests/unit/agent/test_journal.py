"""What a host remembers of its runs, and going back to before one of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nodriza.agent import journal as module
from nodriza.agent.converge import Converge
from nodriza.agent.journal import Journal
from nodriza.agent.rollback import closed, rolled_back
from nodriza.host.errors import HostError
from nodriza.resources import Absent, Command, File, Link, Service, Zone
from tests.unit.agent.pretend import PretendHost

ME = {"owner": Path.home().owner(), "group": Path.home().group()}
CONF = "/web.conf"
READS = {"web": CONF, "other": "/other.conf"}


def plan(text: str, extra: tuple = ()) -> list:
    file = File(CONF, text, **ME)
    other = File("/other.conf", "x", **ME)
    web = Service("web", check=("checker", CONF), reload_on=(file,))
    return [*extra, file, other, web, Service("other", restart_on=(other,))]


class Run:
    """One run, remembered; ``back``: the run whose files it puts back."""

    def __init__(self, root: Path, name: str, resources: list, back: str = "", **options) -> None:
        self.host = PretendHost(root, READS, options.pop("crash_at", None))
        self.journal = Journal(self.host, name)
        self.events: list[dict] = []
        if back:
            resources = rolled_back(self.journal, resources, back)
        self.counts = Converge(
            self.host, self.journal, resources, self.events.append, **options
        ).run()
        if not options.get("check"):
            self.journal.remember({"counts": self.counts}, {})

    def changed(self) -> list[str]:
        return [
            e["id"] for e in self.events if e["event"] == "resource" and e["status"] == "changed"
        ]


def test_run_that_changes_nothing__leaves_no_record_but_that_it_was_there(tmp_path):
    Run(tmp_path, "run-1", plan("a"))
    run = Run(tmp_path, "run-2", plan("a"))
    assert [record["run"] for record in run.journal.history()] == ["run-1"]
    assert run.journal.last_run()["run"] == "run-2"


def test_copies_of_old_files__are_for_root_only(tmp_path):
    Run(tmp_path, "run-1", plan("a"))
    Run(tmp_path, "run-2", plan("b"))
    folder = tmp_path / "var/lib/nodriza/runs/run-2"
    assert (folder / "0000").read_text() == "a"
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_rollback__puts_the_files_back_and_reloads_what_reads_them_and_nothing_else(tmp_path):
    Run(tmp_path, "run-1", plan("a"))
    Run(tmp_path, "run-2", plan("b"))
    run = Run(tmp_path, "run-3", plan("b"), back="run-2")
    assert run.changed() == [f"file:{CONF}", "service:web"]
    assert run.host.read(CONF) == b"a"
    assert run.host.systemd["web"]["read"] == "a"
    assert run.host.systemd["other"]["times"] == 1


def test_rollback__leaves_a_zone_alone_whose_number_may_only_grow(tmp_path):
    def with_zone(text: str, children: tuple) -> list:
        return [*plan(text), Zone("/zone", "SERIAL ; serial\n", children)]

    two = (("server-2", "192.0.2.2"), ("server-3", "192.0.2.3"))
    Run(tmp_path, "run-1", with_zone("a", two[:1]))
    Run(tmp_path, "run-2", with_zone("b", two))
    after = (tmp_path / "zone").read_text()
    run = Run(tmp_path, "run-3", with_zone("b", two), back="run-2")
    assert run.host.read(CONF) == b"a"
    assert (tmp_path / "zone").read_text() == after


def test_rollback__gives_back_owner_and_mode(tmp_path):
    Run(tmp_path, "run-1", [File("/a", "old", mode="0640", **ME)])
    Run(tmp_path, "run-2", [File("/a", "new", mode="0644", **ME)])
    run = Run(tmp_path, "run-3", [File("/a", "new", **ME)], back="run-2")
    assert run.host.stat("/a").mode == "0640"


def test_rollback__takes_away_what_was_new_and_brings_back_what_was_gone(tmp_path):
    host = PretendHost(tmp_path, READS)
    host.write("/gone", "precious", **ME)
    host.symlink("/current", "releases/1")
    after = [Absent("/gone"), Link("/current", "releases/2"), File("/new", "n", **ME)]
    Run(tmp_path, "run-1", after)
    run = Run(tmp_path, "run-2", after, back="run-1")
    assert run.host.read("/gone") == b"precious"
    assert run.host.readlink("/current") == "releases/1"
    assert run.host.stat("/new") is None


def test_rollback__can_be_rolled_back(tmp_path):
    Run(tmp_path, "run-1", plan("a"))
    Run(tmp_path, "run-2", plan("b"))
    Run(tmp_path, "run-3", plan("b"), back="run-2")
    run = Run(tmp_path, "run-4", plan("b"), back="run-3")
    assert run.host.read(CONF) == b"b"
    assert run.host.systemd["web"]["read"] == "b"


def test_rollback_twice__changes_nothing_the_second_time(tmp_path):
    Run(tmp_path, "run-1", plan("a"))
    Run(tmp_path, "run-2", plan("b"))
    Run(tmp_path, "run-3", plan("b"), back="run-2")
    assert Run(tmp_path, "run-4", plan("b"), back="run-2").changed() == []


def test_rollback_check__foretells_what_the_rollback_does(tmp_path):
    Run(tmp_path, "run-1", plan("a"))
    Run(tmp_path, "run-2", plan("b"))
    foretold = Run(tmp_path, "run-3", plan("b"), back="run-2", check=True)
    assert foretold.host.read(CONF) == b"b"
    assert foretold.changed() == Run(tmp_path, "run-3", plan("b"), back="run-2").changed()


def test_old_file_that_the_checker_refuses__leaves_the_service_with_the_new_one(tmp_path):
    host = PretendHost(tmp_path, READS)
    host.write(CONF, "bad", **ME)  # by hand, before anybody checked it
    Run(tmp_path, "run-1", plan("a"))
    run = Run(tmp_path, "run-2", plan("a"), back="run-1")
    assert run.counts["failed"] == 1
    assert run.host.read(CONF) == b"a"
    assert run.host.systemd["web"]["running"]


def test_what_follows_a_follower__runs_as_well(tmp_path):
    def resources(text: str) -> list:
        file = File("/a", text, **ME)
        first = Command("first", ("sh", "-c", f"echo 1 >>{tmp_path}/first"), on_change=(file,))
        second = Command("second", ("sh", "-c", f"echo 2 >>{tmp_path}/second"), on_change=(first,))
        return [file, first, second]

    Run(tmp_path, "run-1", resources("a"))
    Run(tmp_path, "run-2", resources("b"))
    Run(tmp_path, "run-3", resources("b"), back="run-2")
    assert (tmp_path / "second").read_text() == "2\n2\n2\n"


def test_run_that_is_not_there__is_refused(tmp_path):
    with pytest.raises(HostError, match="no run run-7"):
        Run(tmp_path, "run-8", plan("a"), back="run-7")


def test_folder_where_the_file_was__is_left_alone(tmp_path):
    Run(tmp_path, "run-1", [File("/new", "n", **ME)])
    (tmp_path / "new").unlink()
    (tmp_path / "new").mkdir()
    with pytest.raises(HostError, match="is a directory by now"):
        Run(tmp_path, "run-2", [], back="run-1")


def test_diff__is_closed_for_files_that_hold_secrets_now_or_were_not_for_everybody():
    files = [File("/a", "x"), File("/b", "x", mode="0640"), File("/c", "x"), Link("/d", "x")]
    described = {"file:/c": {"path": "/c", "content": "‹secret:redis›"}, "x": {"content": "y"}}
    assert closed(files, described) == {"file:/b", "file:/c"}


def test_run_that_is_killed__has_a_record_without_an_end(tmp_path):
    Run(tmp_path, "run-1", plan("a"))
    pid = os.fork()
    if pid == 0:
        try:
            Run(tmp_path, "run-2", plan("b"), crash_at=6)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9
    newest = Journal(PretendHost(tmp_path, READS), "run-3").history()[0]
    assert newest["run"] == "run-2"
    assert "counts" not in newest
    assert [kept["path"] for kept in newest["kept"]] == [CONF]


def test_history__is_bounded_in_number(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "RUNS", 3)
    for number in range(6):
        run = Run(tmp_path, f"run-{number}", plan(str(number)))
    assert [record["run"] for record in run.journal.history()] == ["run-5", "run-4", "run-3"]


def test_history__is_bounded_in_space(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BYTES", 50_000)
    for number in range(6):
        run = Run(tmp_path, f"run-{number}", plan(str(number) * 20_000))
    assert [record["run"] for record in run.journal.history()] == ["run-5", "run-4"]


def test_history__is_bounded_in_age(tmp_path):
    Run(tmp_path, "run-1", plan("a"))
    for path in (tmp_path / "var/lib/nodriza/runs/run-1").iterdir():
        os.utime(path, (1, 1))
    run = Run(tmp_path, "run-2", plan("b"))
    assert [record["run"] for record in run.journal.history()] == ["run-2"]


def test_copies_that_a_service_may_get_back__outlive_the_bounds(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "RUNS", 1)
    Run(tmp_path, "run-1", plan("a"))
    journal = Journal(PretendHost(tmp_path, READS), "run-2")
    journal.owe("service:web", "reload", CONF, "now")  # and then the run was killed
    Run(tmp_path, "run-3", [File("/more", "m", **ME)])
    assert "run-2" in os.listdir(tmp_path / "var/lib/nodriza/runs")
    run = Run(tmp_path, "run-4", plan("bad"))
    assert run.host.read(CONF) == b"a"


def test_copy_that_an_earlier_run_kept__is_what_the_service_gets_back(tmp_path):
    """It has been running with that; what a killed run wrote, it has never read."""
    Run(tmp_path, "run-1", plan("a"))
    killed = Journal(PretendHost(tmp_path, READS), "run-2")
    killed.owe("service:web", "reload", CONF, "now")
    killed.host.write(CONF, "never read", **ME)
    run = Run(tmp_path, "run-3", plan("bad"))
    assert run.host.read(CONF) == b"a"
    assert [e["paths"] for e in run.events if e["event"] == "restored"] == [[CONF]]


def test_copy_of_a_run__is_of_before_its_first_change_of_the_file(tmp_path):
    host = PretendHost(tmp_path, READS)
    host.write("/twice", "before", **ME)
    journal = Journal(host, "run-1")
    for text in ("once", "twice"):
        journal.keep("/twice")
        host.write("/twice", text, **ME)
    assert [journal.content(kept) for kept in journal.history()[0]["kept"]] == [b"before"]


def test_name_of_a_debt__leads_nowhere_else(tmp_path):
    journal = Journal(PretendHost(tmp_path, READS), "run-1")
    journal.owe("command:../../../etc/x", "run", None, "now")
    assert len(os.listdir(tmp_path / "var/lib/nodriza/owed")) == 1
    assert os.listdir(tmp_path) == ["var"]
    journal.settle("command:../../../etc/x")
    assert journal.all_owed() == []
