"""What there is of the work of a noun once no plan has it any more, and how it goes."""

from __future__ import annotations

import os

import pytest

from nodriza.agent.left import Left
from nodriza.host.errors import Result
from nodriza.host.host import Host
from nodriza.resources import (
    Absent,
    Command,
    Database,
    Directory,
    File,
    FileSystem,
    GlusterVolume,
    Group,
    Health,
    Package,
    Peers,
    Service,
    Touch,
    User,
    Zone,
)
from tests.unit.agent.one_run import ME


class Systemd(Host):
    """One unit, and what else it is told."""

    def __init__(self, **unit: str) -> None:
        super().__init__("/nonexistent")
        names = {"Id": "web.service", "Names": "web.service", "LoadState": "loaded"}
        self.unit = {**names, "ActiveState": "active", "UnitFileState": "enabled", **unit}
        self.told: list[list[str]] = []
        self.waited: list[float | None] = []

    def run(self, argv, **options):
        self.waited.append(options.get("timeout"))
        if argv[1] != "show":
            self.told.append(argv[1:])
            return Result(argv, 0, "", "")
        return Result(argv, 0, "\n".join(f"{k}={v}" for k, v in self.unit.items()), "")


def left(resource, *, beside: frozenset[str] = frozenset()) -> Left:
    return Left(resource.subject, type(resource).__name__, (resource.mark(),), beside)


@pytest.mark.parametrize(
    ("unit", "remains"),
    [
        ({}, ""),
        ({"ActiveState": "inactive"}, ""),
        ({"UnitFileState": "disabled"}, ""),
        ({"ActiveState": "activating", "UnitFileState": "disabled"}, ""),
        ({"ActiveState": "inactive", "UnitFileState": "disabled"}, None),
        ({"ActiveState": "failed", "UnitFileState": "disabled"}, None),
        ({"LoadState": "not-found", "ActiveState": "inactive"}, None),
        ({"LoadState": "masked"}, "somebody else has changed it"),
    ],
)
def test_service__can_go_while_it_runs_or_would_at_the_next_boot(unit, remains):
    assert Service.remains(Systemd(**unit), left(Service("web"))) == remains


def test_service__that_is_planned_by_another_name_is_left_alone():
    """Debian's mysql.service is mariadb.service."""
    host = Systemd(Id="mariadb.service", Names="mariadb.service mysql.service")
    planned = frozenset({"mariadb.service"})
    assert Service.remains(host, left(Service("mysql"), beside=planned)) is None


def test_service__is_disabled_and_stopped():
    host = Systemd(NeedDaemonReload="no")
    Service.take_away(host, left(Service("web", longer=7)))
    web = "web.service"
    assert host.told == [["disable", web], ["reset-failed", web], ["stop", web]]
    assert host.waited[-1] == 307, "as long as it may take to end its work"


@pytest.mark.parametrize(
    "service",
    [
        Service("web", masked=True),
        Service("web", enabled=False, running=False),
        Service("nftables", stays=True),
    ],
)
def test_service_that_is_off_or_looks_after_the_host__is_not_remembered(service):
    assert service.mark() is None


@pytest.mark.parametrize(
    "resource",
    [
        Absent("/a"),
        Command("a", ("true",), creates="/a"),
        Health("http://127.0.0.1/"),
        Peers("a", ("1",), ()),
        Touch("/a"),
    ],
)
def test_what_leaves_nothing_behind__is_not_remembered(resource):
    assert resource.mark() is None


@pytest.mark.parametrize(
    "resource",
    [
        Database("a"),
        FileSystem("/a", "/b"),
        GlusterVolume("a", "b:/c"),
        Group("a"),
        Package("a"),
        User("a"),
        Zone("/a", "b"),
    ],
)
def test_what_has_data_or_serves_others__stays_with_a_reason(tmp_path, resource):
    assert type(resource).remains(Host(str(tmp_path)), left(resource)) == resource.STAYS != ""


def test_file__goes_while_it_is_as_it_was_written(tmp_path):
    host, file = Host(str(tmp_path)), File("/a", "x", **ME)
    assert File.remains(host, left(file)) is None
    file.fix(host, None)
    assert File.remains(host, left(file)) == ""
    assert file.mark() not in ("x", "")
    (tmp_path / "a").write_text("y")
    assert File.remains(host, left(file)) == "somebody else has changed it"
    os.remove(tmp_path / "a")
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").write_text("x")
    assert File.remains(host, left(file)) == "somebody else has changed it"


def test_folder__goes_when_nothing_else_is_in_it(tmp_path):
    host, folder = Host(str(tmp_path)), Directory("/a", **ME)
    assert Directory.remains(host, left(folder)) is None
    folder.fix(host, None)
    (tmp_path / "a/ours").touch()
    with_ours = left(folder, beside=frozenset({"/a/ours"}))
    assert Directory.remains(host, with_ours) == ""
    (tmp_path / "a/theirs").touch()
    assert Directory.remains(host, with_ours) == "it is not empty"
    with pytest.raises(OSError, match="not empty"):
        Directory.take_away(host, with_ours)
    assert sorted(os.listdir(tmp_path / "a")) == ["ours", "theirs"]


def test_folder_that_is_a_link_by_now__stays(tmp_path):
    (tmp_path / "a").symlink_to("/etc")
    host = Host(str(tmp_path))
    assert Directory.remains(host, left(Directory("/a"))) == "somebody else has changed it"
