"""Services that are not to run. (All else needs a systemd: ``tests/lab``.)"""

from __future__ import annotations

import pytest

from nodriza.agent.host import Host, Result
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
