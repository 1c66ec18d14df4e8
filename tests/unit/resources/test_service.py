"""Services: what is off, and what is up. (All else needs a systemd: ``tests/lab``.)"""

from __future__ import annotations

import time

import pytest

from nodriza.host.errors import HostError, Result
from nodriza.host.host import Host
from nodriza.resources import Service, gap_between

PORTMAPPER = Service("rpcbind.socket", masked=True)


class Systemd(Host):
    """Answers ``systemctl show`` with one unit, and notes what else it is told."""

    def __init__(self, **unit: str) -> None:
        super().__init__("/nonexistent")
        self.unit = {"Id": "rpcbind.socket", "Names": "rpcbind.socket", **unit}
        self.told: list[list[str]] = []

    def run(self, argv, **options):
        if argv[1] != "show":
            self.told.append(argv)
            return Result(argv, 0, "", "")
        out = "\n".join(f"{key}={value}" for key, value in self.unit.items())
        return Result(argv, 0, out, "")


def gap(host: Systemd) -> dict[str, object]:
    (now,) = Service.look(host, [PORTMAPPER])
    wanted = PORTMAPPER.wanted()
    return {key: wanted[key] for key in wanted if (now or {}).get(key) != wanted[key]}


def test_masked__is_as_wanted_when_it_is_masked_and_off():
    host = Systemd(LoadState="masked", ActiveState="inactive", UnitFileState="masked")
    assert gap(host) == {}


@pytest.mark.parametrize(
    ("load", "active"), [("loaded", "inactive"), ("loaded", "active"), ("masked", "active")]
)
def test_masked__is_masked_and_stopped_where_it_is_not(load, active):
    host = Systemd(LoadState=load, ActiveState=active, UnitFileState="enabled")
    assert gap(host)
    PORTMAPPER.fix(host, {})
    assert host.told == [["systemctl", "mask", "--now", "rpcbind.socket"]]


def test_masked__comes_also_before_the_package_that_brings_the_unit():
    host = Systemd(LoadState="not-found")
    assert gap(host) == {"masked": True, "running": False}


@pytest.mark.parametrize(
    ("active", "off"),
    [("inactive", True), ("failed", True), ("active", False), ("activating", False)],
)
def test_service_that_is_to_be_off__is_off_when_it_does_not_start_again_either(active, off):
    host = Systemd(LoadState="loaded", ActiveState=active, UnitFileState="disabled")
    service = Service("rpcbind.socket", enabled=False, running=False)
    assert (gap_between(service, Service.look(host, [service])[0]) == {}) is off


def test_service_that_is_to_be_off__may_be_missing():
    host = Systemd(LoadState="not-found")
    service = Service("rpcbind.socket", enabled=False, running=False)
    assert gap_between(service, Service.look(host, [service])[0]) == {}


class Starting(Host):
    """A unit that starts, and is what ``seen`` says one look after the other."""

    def __init__(self, *seen: str, need_reload: str = "no", load: str = "loaded") -> None:
        super().__init__("/nonexistent")
        self.seen = list(seen)
        self.files = f"LoadState={load}\nNeedDaemonReload={need_reload}\n"
        self.told: list[str] = []

    def run(self, argv, **options):
        if argv[1] != "show":
            self.told.append(" ".join(argv[1:]))
            return Result(argv, 0, "", "")
        if "LoadState" in argv[2]:
            return Result(argv, 0, self.files, "")
        values = self.seen.pop(0).split()
        keys = ("ActiveState", "MainPID", "Type")
        out = "".join(f"{key}={value}\n" for key, value in zip(keys, values, strict=False))
        return Result(argv, 0, out, "")


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Every wait, which takes no time here."""
    waits: list[float] = []
    monkeypatch.setattr("nodriza.resources.service.time.sleep", waits.append)
    return waits


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(["failed 0"], id="it fails at once"),
        pytest.param(["failed 0 notify"], id="it fails before it says that it is up"),
        pytest.param(["active 7", "failed 0"], id="it dies a moment later"),
        pytest.param(["active 7", "activating 0"], id="it waits for its next start"),
        pytest.param(["active 7", "active 8"], id="it has been started again meanwhile"),
    ],
)
@pytest.mark.usefixtures("slept")
def test_service_that_does_not_stay_up__is_refused(seen):
    host = Starting(*seen)
    with pytest.raises(HostError, match=r"systemctl start nginx\.service failed"):
        Service("nginx").act(host, "start")
    assert not host.seen


@pytest.mark.parametrize(
    ("action", "seen", "moments"),
    [
        pytest.param("start", ["active 7 simple"] * 2, 1, id="a service"),
        pytest.param("start", ["active 7 forking"], 0, id="one whose parent waits for it"),
        pytest.param("reload", ["reloading 7", "active 7"], 1, id="a service that reloads"),
        pytest.param("start", ["active"], 0, id="a socket"),
        pytest.param("start", ["active 0 oneshot"], 0, id="a oneshot that remains"),
        pytest.param("restart", ["active 7 notify"], 0, id="a service that says it is up"),
        pytest.param("reload", ["active 7 notify"] * 2, 1, id="one that was told to reload"),
    ],
)
def test_service_that_stays_up__is_watched_while_it_could_die(action, seen, moments, slept):
    host = Starting(*seen)
    Service("nginx").act(host, action)
    assert not host.seen
    assert len(slept) == moments


@pytest.mark.parametrize(
    ("changed", "files", "read"),
    [
        (False, {}, False),
        pytest.param(True, {}, True, id="by this run"),
        pytest.param(False, {"need_reload": "yes"}, True, id="by one that was cut short"),
        pytest.param(False, {"load": "not-found"}, True, id="the unit is new"),
    ],
)
@pytest.mark.usefixtures("slept")
def test_unit_files__are_read_once_after_a_change(changed, files, read):
    """Reading them takes as long as many a start."""
    host = Starting(*["active 7"] * 4, **files)
    host.units_changed = changed
    Service("nginx").act(host, "start")
    assert ("daemon-reload" in host.told) is read
    host.files = "LoadState=loaded\nNeedDaemonReload=no\n"
    host.told.clear()
    Service("nginx").act(host, "restart")
    assert "daemon-reload" not in host.told


def test_enabling__lets_unit_files_be_read_as_well():
    """So that the start after it need not."""
    host = Starting("active 7 notify")
    host.units_changed = True
    Service("mariadb").fix(host, {"enabled": False, "running": False})
    assert host.told == [
        "enable mariadb.service",
        "reset-failed mariadb.service",
        "start mariadb.service",
    ]


def test_change_of_a_unit_file__is_noticed(tmp_path):
    host = Host(str(tmp_path))
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    host.write("/etc/other.conf", b"")
    assert not host.units_changed
    host.write("/etc/systemd/system/a.service", b"")
    assert host.units_changed


class Restless(Systemd):
    """A service that systemd began again ``restarts`` times, the last time ``ago`` seconds ago."""

    def __init__(self, restarts: int, ago: float) -> None:
        moved = int((time.monotonic() - ago) * 1e6)
        super().__init__(
            Id="relay.service",
            Names="relay.service",
            LoadState="loaded",
            ActiveState="active",
            UnitFileState="enabled",
            MainPID="7",
            NRestarts=str(restarts),
            StateChangeTimestampMonotonic=str(moved),
        )


@pytest.mark.parametrize(
    ("restarts", "ago", "well"), [(0, 1, True), (1, 1, True), (2, 1, False), (900, 3600, True)]
)
def test_steady_service__that_begins_again_and_again_is_not_well_between(restarts, ago, well):
    relay = Service("relay", steady=5)
    host = Restless(restarts, ago)
    (now,) = Service.look(host, [relay])
    assert gap_between(relay, now) == ({} if well else {"steady": (False, True)})
    assert gap_between(Service("relay"), now) == {}


def test_steady_service__is_believed_after_its_seconds_and_no_sooner(monkeypatch):
    monkeypatch.setattr("nodriza.resources.service.SETTLE", 0.01)
    relay, host = Service("relay", steady=1), Restless(3, 1)
    looks = []

    def process(_host):
        looks.append(time.monotonic())
        return ("7" if len(looks) < 20 else "8"), "exec"

    monkeypatch.setattr(relay.__class__, "_main_process", lambda self, host: process(host))
    with pytest.raises(HostError, match="systemctl start relay.service failed"):
        relay.fix(host, {"enabled": True, "running": True, "steady": False})
    told = [argv[1] for argv in host.told if argv[0] == "systemctl"]
    assert told[-2:] == ["reset-failed", "start"]
