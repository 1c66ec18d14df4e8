"""What a plan had made, and the next one does not have any more."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from nodriza.agent.journal import Journal
from nodriza.resources import Directory, File, Link, Package, Service, Touch
from tests.unit.agent.one_run import ME, READS, Run
from tests.unit.agent.pretend import PretendHost

NOT_PLANNED = {"left": (True, False)}
WEB = "/etc/web/web.conf"
MORE = "/etc/web/more.conf"
MEMORY = "/var/lib/nodriza/plans/shop.json"


def base(text: str = "a", *, more: str = "") -> list:
    """A service that reads one file, or two."""
    files = [File(WEB, text, **ME), *([File(MORE, more, **ME)] if more else [])]
    folders = [Directory("/etc", **ME), Directory("/etc/web", **ME)]
    return [*folders, *files, Service("web", check=("checker", WEB), reload_on=tuple(files))]


def clock() -> list:
    """A role of its own: a folder, a unit file, a link, a service."""
    unit = File("/etc/clock/clock.conf", "tick", **ME)
    return [
        Directory("/etc/clock", **ME),
        unit,
        Link("/etc/clock/now", "clock.conf"),
        Service("clock", restart_on=(unit,)),
    ]


@pytest.fixture(autouse=True)
def _clock(monkeypatch):
    monkeypatch.setitem(READS, "clock", "/etc/clock/clock.conf")


class Whole(Run):
    """A provision of the cluster "shop"."""

    def __init__(self, root: Path, resources: list, run: str = "run-1", **options) -> None:
        super().__init__(root, resources, run, cluster=options.pop("cluster", "shop"), **options)

    @property
    def removed(self) -> list[str]:
        return [e["id"] for e in self.events if e.get("gap") == {"left": [True, False]}]


def files(root: Path) -> set[str]:
    """Below /etc."""
    return {str(each.relative_to(root / "etc")) for each in (root / "etc").rglob("*")}


def test_role_that_is_planned_no_more__goes_with_all_that_it_had_made(tmp_path):
    Whole(tmp_path, [*base(), *clock()])
    run = Whole(tmp_path, base(), "run-2")
    assert run.removed == [
        "service:clock",
        "link:/etc/clock/now",
        "file:/etc/clock/clock.conf",
        "directory:/etc/clock",
    ]
    assert files(tmp_path) == {"web", "web/web.conf"}
    clock_now = run.host.systemd["clock"]
    assert (clock_now["running"], clock_now["enabled"]) == (False, False)
    assert run.host.systemd["web"]["times"] == 1


def test_second_run__takes_nothing_away_and_writes_nothing(tmp_path):
    Whole(tmp_path, [*base(), *clock()])
    Whole(tmp_path, base(), "run-2")
    before = (tmp_path / MEMORY[1:]).stat().st_mtime_ns
    run = Whole(tmp_path, base(), "run-3")
    assert run.counts == {"ok": 4, "changed": 0, "failed": 0, "skipped": 0}
    assert not run.found.left
    assert (tmp_path / MEMORY[1:]).stat().st_mtime_ns == before


def test_check__foretells_it_in_the_same_words(tmp_path):
    Whole(tmp_path, [*base(more="b"), *clock()])
    foretold = Whole(tmp_path, base(), "run-2", check=True)
    assert files(tmp_path) > {"clock/clock.conf", "web/more.conf"}
    done = Whole(tmp_path, base(), "run-2")
    assert foretold.removed == done.removed != []
    assert foretold.statuses() == done.statuses()


def test_service_that_read_it__reads_anew_without_it(tmp_path):
    Whole(tmp_path, base(more="b"))
    run = Whole(tmp_path, base(), "run-2")
    assert run.statuses()["service:web"] == "changed"
    assert run.events[-1]["words"] == "reload"
    assert run.host.systemd["web"]["times"] == 2
    assert run.host.read(MORE) is None


def test_file_that_comes_back__finds_its_folder(tmp_path):
    """It goes last: a service that needs the file is asked before."""
    folder, more = Directory("/etc/more", mode="0700", **ME), File("/etc/more/a", "b", **ME)
    service = base()[-1]
    reads = Service("web", check=service.check, reload_on=(*service.reload_on, more))
    Whole(tmp_path, [*base()[:-1], folder, more, reads])
    run = Whole(tmp_path, base("bad"), "run-2")
    assert run.counts["failed"] == 1
    assert run.host.read("/etc/more/a") == b"b"
    assert Whole(tmp_path, base(), "run-3").removed == ["file:/etc/more/a", "directory:/etc/more"]


def test_service_that_needs_it__gets_it_back_and_the_next_run_tries_again(tmp_path):
    """Its checker says no: a plan that leaves the file out is not good."""
    Whole(tmp_path, base(more="b"))
    run = Whole(tmp_path, base("bad"), "run-2")
    assert run.counts["failed"] == 1
    assert run.host.read(MORE) == b"b"
    assert Whole(tmp_path, base(), "run-3").removed == [f"file:{MORE}"]


def test_file_that_somebody_else_has_changed__stays_and_is_told(tmp_path):
    Whole(tmp_path, [*base(), *clock()])
    (tmp_path / "etc/clock/clock.conf").write_text("tock")
    os.remove(tmp_path / "etc/clock/now")
    os.symlink("elsewhere", tmp_path / "etc/clock/now")
    run = Whole(tmp_path, base(), "run-2")
    assert run.removed == ["service:clock"]
    assert run.found.kept == {
        "link:/etc/clock/now": "somebody else has changed it",
        "file:/etc/clock/clock.conf": "somebody else has changed it",
        "directory:/etc/clock": "it is not empty",
    }
    assert Whole(tmp_path, base(), "run-3").found.kept == {}, "it is told once: it is theirs"


def test_what_was_here_before__is_nobody_s_to_take_away(tmp_path):
    """Found as it should be, or found and changed."""
    (tmp_path / "etc/clock").mkdir(parents=True)
    (tmp_path / "etc/clock/clock.conf").write_text("before")
    host = PretendHost(tmp_path, READS)
    host.systemd = {"clock": {"running": True, "enabled": False, "read": "before"}}
    Whole(tmp_path, [*base(), *clock()])
    run = Whole(tmp_path, base(), "run-2")
    assert run.removed == ["link:/etc/clock/now"]
    words = "it was here before"
    assert run.found.kept == {"service:clock": words, "file:/etc/clock/clock.conf": words}
    assert run.host.systemd["clock"]["running"]


def test_node_that_was_provisioned_by_who_remembered_nothing__loses_nothing(tmp_path):
    Run(tmp_path, [*base(), *clock()])
    Whole(tmp_path, [*base(), *clock()], "run-2")
    assert Whole(tmp_path, base(), "run-3").removed == []


def test_part_of_a_plan__takes_nothing_away_and_forgets_nothing(tmp_path):
    """A deploy, a drain, the last plan of a node that leaves."""
    Whole(tmp_path, [*base(), *clock()])
    part = Whole(tmp_path, [File("/etc/release", "1", **ME)], "run-2", part=True)
    assert part.statuses() == {"file:/etc/release": "changed"}
    run = Whole(tmp_path, base(), "run-3")
    assert len(run.removed) == 4
    assert run.host.read("/etc/release") == b"1"


def test_file_that_a_deploy_has_changed__is_still_known(tmp_path):
    Whole(tmp_path, [*base(), *clock()])
    deploy = [File("/etc/clock/clock.conf", "tock", **ME)]
    Whole(tmp_path, deploy, "run-2", part=True)
    assert len(Whole(tmp_path, base(), "run-3").removed) == 4


def test_run_that_fails__forgets_nothing(tmp_path):
    Whole(tmp_path, [*base(), *clock()])
    blocked = [File("/etc/nowhere/a", "x", **ME), *base()]
    run = Whole(tmp_path, blocked, "run-2")
    assert run.counts["failed"] == 1
    assert Whole(tmp_path, [*base(), *clock()], "run-3").counts["failed"] == 0
    assert len(Whole(tmp_path, base(), "run-4").removed) == 4


def test_file_of_another_role__stays(tmp_path):
    """The role has gone, but another one has the same file."""
    Whole(tmp_path, [*base(), *clock()])
    other = [Directory("/etc/clock", **ME), File("/etc/clock/clock.conf", "tick", **ME)]
    run = Whole(tmp_path, [*base(), *other], "run-2")
    assert run.removed == ["service:clock", "link:/etc/clock/now"]


def test_folder_with_something_that_is_planned__is_not_spoken_of(tmp_path):
    Whole(tmp_path, [*base(), *clock()])
    inside = [File("/etc/clock/clock.conf", "tick", **ME)]
    run = Whole(tmp_path, [*base(), *inside], "run-2")
    assert "directory:/etc/clock" not in [*run.removed, *run.found.kept]


def test_path_that_becomes_something_else__is_left_to_that(tmp_path):
    Whole(tmp_path, [*base(), File("/etc/a", "x", **ME)])
    run = Whole(tmp_path, [*base(), Touch("/etc/a", **ME)], "run-2")
    assert run.removed == []
    assert run.host.read("/etc/a") == b"x"


def test_same_path_by_another_way__is_the_same(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "var").mkdir()
    os.symlink("../run", tmp_path / "var/run")
    Whole(tmp_path, [File("/var/run/a", "x", **ME)])
    assert Whole(tmp_path, [File("/run/a", "x", **ME)], "run-2").removed == []


def test_unit_by_its_long_name__is_the_same(tmp_path):
    Whole(tmp_path, [*base()])
    last = base()[:-1]
    run = Whole(tmp_path, [*last, Service("web.service")], "run-2")
    assert run.removed == []
    assert run.host.systemd["web"]["times"] == 1


def test_what_starts_a_service__ends_before_it(tmp_path, monkeypatch):
    monkeypatch.setitem(READS, "clock.timer", "/etc/clock/clock.conf")
    timer = [*clock()[:2], Service("clock.timer"), Service("clock")]
    Whole(tmp_path, [*base(), *timer])
    run = Whole(tmp_path, base(), "run-2")
    assert run.removed[:2] == ["service:clock.timer", "service:clock"]


def test_package__stays_and_is_told_where_a_plan_had_installed_it(tmp_path, monkeypatch):
    there: set[str] = {"old"}

    def look(_, many):
        return [{"installed": True} if each.name in there else None for each in many]

    def install(_, many):
        there.update(each.name for each in many)

    monkeypatch.setattr(Package, "look", look)
    monkeypatch.setattr(Package, "fix_together", install)
    Whole(tmp_path, [Package("old"), Package("new"), *base()])
    run = Whole(tmp_path, base(), "run-2")
    assert run.found.kept == {"package:new": "others may need it"}


def test_another_cluster_on_the_same_host__keeps_its_own(tmp_path):
    Whole(tmp_path, [*base(), *clock()], cluster="shop")
    Whole(tmp_path, clock()[:2], "run-2", cluster="blog")
    run = Whole(tmp_path, base(), "run-3", cluster="shop")
    assert run.removed == ["service:clock", "link:/etc/clock/now"]
    assert Whole(tmp_path, base(), "run-4", cluster="shop").removed == []
    Whole(tmp_path, [], "run-5", cluster="blog")
    again = Whole(tmp_path, base(), "run-6", cluster="shop")
    assert again.removed == ["file:/etc/clock/clock.conf", "directory:/etc/clock"]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"file:/etc/clock": 1}',
        '{"file:/a": {"noun": "File", "made": 1, "marks": [], "followers": {}}}',
        '{"file:/a": {"noun": "Nothing", "made": true, "marks": [], "followers": {}}}',
        '{"link:/a": {"noun": "File", "made": true, "marks": [], "followers": {}}}',
        '{"file:/a": {"noun": "File", "made": true, "marks": [7], "followers": {}}}',
        '{"file:/a": {"noun": "File", "made": true, "marks": [], "followers": {"a": "fix"}}}',
        '{"file:/a": {"noun": "File", "made": true, "marks": []}}',
        "[" * 100_000,
        '"' + "x" * 5_000_000 + '"',
    ],
)
def test_memory_that_is_damaged__takes_nothing_away_and_is_told(tmp_path, text):
    Whole(tmp_path, [*base(), *clock()])
    (tmp_path / MEMORY[1:]).write_text(text)
    run = Whole(tmp_path, base(), "run-2")
    assert run.removed == []
    assert run.memory.broken == f"{MEMORY} is damaged: look at it"
    assert Whole(tmp_path, base(), "run-3").memory.broken == ""


def test_memory_of_another_cluster_that_is_damaged__lets_nothing_go_and_nothing_be_forgotten(
    tmp_path,
):
    Whole(tmp_path, [*base(), *clock()])
    other = tmp_path / "var/lib/nodriza/plans/blog.json"
    other.write_text("{")
    assert Whole(tmp_path, base(), "run-2").removed == []
    other.unlink()
    assert len(Whole(tmp_path, base(), "run-3").removed) == 4


def test_more_clusters_than_anybody_has_on_a_host__let_nothing_go(tmp_path):
    Whole(tmp_path, [*base(), *clock()])
    for number in range(20):
        (tmp_path / f"var/lib/nodriza/plans/{number}.json").write_text("{}")
    run = Whole(tmp_path, base(), "run-2")
    assert run.removed == []
    assert "more than 20 clusters" in run.memory.broken


def test_memory__is_root_s_alone_and_has_no_content_in_it(tmp_path):
    Whole(tmp_path, base("hush"))
    seen = (tmp_path / MEMORY[1:]).stat()
    assert seen.st_mode & 0o777 == 0o600
    assert (tmp_path / MEMORY[1:]).parent.stat().st_mode & 0o777 == 0o700
    assert b"hush" not in (tmp_path / MEMORY[1:]).read_bytes()


@pytest.mark.parametrize("runs", [True, False])
def test_restart_that_was_due_of_what_has_gone__is_due_no_more(tmp_path, runs):
    """Also where somebody else has stopped the service meanwhile."""
    host = Whole(tmp_path, [*base(), *clock()]).host
    Journal(host, "run-2").owe("service:clock", "restart", None, "03:00")
    host.systemd = {**host.systemd, "clock": {"running": runs, "enabled": runs, "read": "tick"}}
    run = Whole(tmp_path, base(), "run-3")
    assert len(run.removed) == 3 + runs
    assert [e for e in run.events if e["event"] == "owed"] == []
    assert run.journal.all_owed() == []


@pytest.fixture
def _before(tmp_path):
    (tmp_path / "before").mkdir()


def _crash(root: Path, resources: list, step: int) -> bool:
    """Whether a run died before its ``step``-th change."""
    pid = os.fork()
    if pid == 0:
        try:
            Whole(root, resources, "run-crash", crash_at=step)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9


@pytest.mark.usefixtures("_before")
def test_killed_before_any_step_of_the_going__the_next_run_ends_it(tmp_path):
    Whole(tmp_path / "before", [*base(more="b"), *clock()])
    for step in range(100):
        root = tmp_path / str(step)
        shutil.copytree(tmp_path / "before", root, symlinks=True)
        if not _crash(root, base(), step):
            break
        after = Whole(root, base(), "run-after")
        assert after.counts["failed"] == 0, after.events
        assert files(root) == {"web", "web/web.conf"}, f"left at step {step}"
        assert not after.host.systemd["clock"]["running"]
        assert after.host.systemd["web"]["times"] > 1, f"a reload is lost at step {step}"
        assert after.journal.all_owed() == []
        assert not [*root.rglob("*.nodriza-*")], f"half-written at step {step}"
        last = Whole(root, base(), "run-last")
        assert (last.counts["changed"], last.found.left) == (0, {})
    assert 16 < step < 99


@pytest.mark.usefixtures("_before")
@pytest.mark.parametrize("before", ["nothing", "tock"])
def test_killed_before_any_step_of_the_making__what_was_made_is_known(tmp_path, before):
    """Whatever the run had made by then, or changed, goes when it is planned no more."""
    Whole(tmp_path / "before", base())
    if before == "tock":
        tock = File("/etc/clock/clock.conf", "tock", **ME)
        Whole(tmp_path / "before", [*base(), clock()[0], tock], "run-2")
    for step in range(100):
        root = tmp_path / str(step)
        shutil.copytree(tmp_path / "before", root, symlinks=True)
        if not _crash(root, [*base(), *clock()], step):
            break
        after = Whole(root, base(), "run-after")
        assert files(root) == {"web", "web/web.conf"}, f"left at step {step}"
        assert not after.host.systemd.get("clock", {}).get("running"), f"runs at step {step}"
        assert after.found.kept == {}, f"kept at step {step}"
        assert not [*root.rglob("*.nodriza-*")], f"half-written at step {step}"
    assert 10 < step < 99
