"""What a power cut leaves: whole files, and nothing that is due and forgotten."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from nodriza.agent.converge import Converge
from nodriza.agent.journal import Journal
from nodriza.host.host import Host
from nodriza.resources import Command, Directory, File, Link, Service
from tests.unit.agent.disk import Disk
from tests.unit.agent.one_run import Run
from tests.unit.agent.pretend import PretendHost

ME = {"owner": Path.home().owner(), "group": Path.home().group()}
CONF = "/etc/web/web.conf"
READS = {"web": CONF}
either_way = pytest.mark.parametrize("names_first", [False, True], ids=["late", "names first"])


@pytest.fixture
def host(tmp_path, monkeypatch):
    """Its disk is ``host.disk``."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/old").write_text("old")
    (tmp_path / "etc/link").symlink_to("old")
    host = Host(str(tmp_path))
    host.disk = Disk(tmp_path)
    monkeypatch.setattr(os, "fsync", host.disk.fsync)
    return host


def test_disk__forgets_what_was_not_flushed(host, tmp_path):
    """The disk of these tests, that is."""
    with open(tmp_path / "etc/a", "w") as file:
        file.write("x")
    host.disk.cut(names_first=False)
    assert sorted(os.listdir(tmp_path / "etc")) == ["link", "old"]
    assert (tmp_path / "etc/old").read_text() == "old"


def test_disk__has_names_of_empty_files_when_names_come_first(host, tmp_path):
    (tmp_path / "etc/a").write_text("x")
    host.disk.cut(names_first=True)
    assert (tmp_path / "etc/a").read_text() == ""


@either_way
def test_file_that_was_written__is_there_whole_with_its_mode(host, names_first):
    host.write("/etc/new", "new", mode="0640", **ME)
    host.write("/etc/old", "other", mode="0600", **ME)
    host.disk.cut(names_first=names_first)
    assert (host.read("/etc/new"), host.stat("/etc/new").mode) == (b"new", "0640")
    assert (host.read("/etc/old"), host.stat("/etc/old").mode) == (b"other", "0600")


@either_way
def test_what_was_made_linked_renamed_or_removed__stays_so(host, names_first):
    host.mkdir("/etc/folder")
    host.mkdirs("/var/lib/deep")
    host.symlink("/etc/link", "folder", **ME)
    host.rename("/etc/old", "/etc/older")
    host.write("/etc/gone", "x", **ME)
    host.remove("/etc/gone")
    host.disk.cut(names_first=names_first)
    assert host.list("/etc") == ["folder", "link", "older"]
    assert host.readlink("/etc/link") == "folder"
    assert host.stat("/var/lib/deep").type == "directory"


def plan(text: str) -> list:
    file = File(CONF, text, **ME)
    return [
        Directory("/etc", **ME),
        Directory("/etc/web", **ME),
        file,
        Link("/etc/web/enabled", "web.conf"),
        Service("web", check=("checker", CONF), reload_on=(file,)),
        Command("note", ("true",), on_change=(file,)),
    ]


class Fragile(PretendHost):
    """One whose power goes before a step."""

    names_first = False

    def _die(self) -> None:
        self.disk.cut(names_first=self.names_first)
        super()._die()


def run(host: PretendHost, name: str, text: str) -> tuple[dict, Journal]:
    journal = Journal(host, name)
    journal.lock({})
    counts = Converge(host, journal, plan(text), lambda event: None).run()
    journal.remember({"counts": counts}, {})
    journal.unlock()
    return counts, journal


def loses_power(
    root: Path,
    step: int,
    names_first: bool,
    change: Callable[[PretendHost], object] = lambda host: run(host, "run-cut", "b"),
) -> bool:
    """Runs in a process of its own, and says whether it came to that step."""
    pid = os.fork()
    if pid == 0:
        try:
            host = Fragile(root, READS, step)
            host.names_first, host.disk = names_first, Disk(root)
            os.fsync = host.disk.fsync
            change(host)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9


def boot(host: PretendHost) -> None:
    """What is enabled starts, and reads what is there."""
    units = host.systemd
    for name, unit in units.items():
        text = host.read(READS[name])
        unit.update(running=unit["enabled"] and text is not None, read=(text or b"").decode())
    host.systemd = units


@either_way
@pytest.mark.parametrize("before", [None, b"a"], ids=["bare", "changed"])
def test_power_cut_at_any_step__leaves_whole_files_and_what_is_due(tmp_path, before, names_first):
    for step in range(100):
        root = tmp_path / str(step)
        root.mkdir()
        if before:
            run(PretendHost(root, READS), "run-1", "a")
        if not loses_power(root, step, names_first):
            break
        host = PretendHost(root, READS)
        assert host.read(CONF) in (before, b"b"), f"half a file at step {step}"
        for path in root.rglob("*.json"):
            assert json.loads(path.read_text()) is not None, f"{path} at step {step}"
        due = {debt["id"] for debt in Journal(host, "later").all_owed()}
        has_read = host.systemd.get("web", {}).get("read")
        if host.read(CONF) == b"b" and has_read != "b":
            assert due >= {"service:web", "command:note"}, f"a restart is lost at step {step}"
        boot(host)
        counts, journal = run(host, "run-after", "b")
        assert counts["failed"] == 0
        assert (host.read(CONF), host.systemd["web"]["read"]) == (b"b", "b")
        assert journal.all_owed() == []
        assert not [*root.rglob("*.nodriza-*")]
    assert 16 < step < 99


@either_way
def test_power_cut_at_any_step_of_a_provision__what_it_had_made_is_known(tmp_path, names_first):
    """It goes when it is planned no more, and the memory of the plan before is not lost."""
    role = [Directory("/etc/role", **ME), File("/etc/role/a", "x", **ME), Link("/etc/role/b", "a")]
    before = [Directory("/etc", **ME), File("/etc/old", "x", **ME)]

    def made(host: PretendHost) -> Run:
        return Run(tmp_path, [*before, *role], "run-cut", cluster="shop", host=host)

    for step in range(100):
        root = tmp_path / str(step)
        root.mkdir()
        Run(root, before, cluster="shop")
        if not loses_power(root, step, names_first, made):
            break
        Run(root, before[:1], "run-after", cluster="shop")
        assert os.listdir(root / "etc") == [], f"left at step {step}"
    assert 16 < step < 99
