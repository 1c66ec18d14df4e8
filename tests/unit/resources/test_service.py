"""Services: what is off, and what is up. (All else needs a systemd: ``tests/lab``.)"""

from __future__ import annotations

import pytest

from nodriza.agent.host import Host, HostError, Result
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

    def __init__(self, *seen: str) -> None:
        super().__init__("/nonexistent")
        self.seen = list(seen)

    def run(self, argv, **options):
        if argv[1] != "show":
            return Result(argv, 0, "", "")
        active, _, process = self.seen.pop(0).partition(" ")
        out = f"ActiveState={active}\n" + (f"MainPID={process}\n" if process else "")
        return Result(argv, 0, out, "")


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(["failed 0"], id="it fails at once"),
        pytest.param(["active 7", "failed 0"], id="it dies a moment later"),
        pytest.param(["active 7", "activating 0"], id="it waits for its next start"),
        pytest.param(["active 7", "active 8"], id="it has been started again meanwhile"),
    ],
)
def test_service_that_does_not_stay_up__is_refused(seen, monkeypatch):
    monkeypatch.setattr("nodriza.resources.service.SETTLE", 0)
    host = Starting(*seen)
    with pytest.raises(HostError, match="systemctl start nginx.service failed"):
        Service("nginx").act(host, "start")
    assert not host.seen


@pytest.mark.parametrize(
    ("seen", "moments"),
    [
        pytest.param(["active 7", "active 7"], 1, id="a service"),
        pytest.param(["reloading 7", "active 7"], 1, id="a service that reloads"),
        pytest.param(["active"], 0, id="a socket"),
        pytest.param(["active 0"], 0, id="a oneshot that remains after its exit"),
    ],
)
def test_service_that_stays_up__is_watched_while_it_could_die(seen, moments, monkeypatch):
    slept: list[float] = []
    monkeypatch.setattr("nodriza.resources.service.time.sleep", slept.append)
    host = Starting(*seen)
    Service("nginx").act(host, "start")
    assert not host.seen
    assert len(slept) == moments
