"""The lab itself: machines that boot, crash, come back and leave nothing.

A lab of its own, beside the one that the other tests work on.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nodriza import lab
from nodriza.errors import LabError
from nodriza.inventory.sections.lab import LabConfig
from nodriza.lab import network, state
from nodriza.lab.containers import image, nspawn

pytestmark = pytest.mark.lab

NETNS = "nodriza-labtest"
Say = Callable[[str], None]


def cluster(*names: str, name: str = "labtest") -> Any:
    nodes = [
        SimpleNamespace(name=node, private=f"198.18.117.{20 + i}", public=f"198.18.118.{20 + i}")
        for i, node in enumerate(names or ("one", "two"))
    ]
    return SimpleNamespace(
        name=name,
        nodes=tuple(nodes),
        networks=SimpleNamespace(private="198.18.117.0/24", public="198.18.118.0/24"),
        lab=LabConfig(),
        lab_overlay=None,
        share=SimpleNamespace(engine="nfs"),
        path=Path("/inventories/labtest.yml"),
    )


def quiet(line: str) -> None:
    pass


def on(name: str, *argv: str) -> str:
    words = [*lab.ssh_argv(cluster(), name), *argv]
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout


def running() -> dict[str, bool]:
    return {machine.name: machine.running for machine in lab.status(cluster())}


def connects(address: str) -> bool:
    try:
        with socket.create_connection((address, 22), timeout=1):
            return True
    except OSError:
        return False


@pytest.fixture(scope="module", autouse=True)
def _labtest() -> Iterator[None]:
    lab.up(cluster(), quiet)
    yield
    lab.down(cluster(), quiet)


@pytest.fixture(autouse=True)
def _whole() -> None:
    lab.up(cluster(), quiet)


def test_machines__are_debian_with_their_own_names_and_keys_and_nothing_failed() -> None:
    assert on("one", "hostname") == "one\n"
    assert on("one", "systemctl", "--failed", "--no-legend") == ""
    ids = {on(name, "cat", "/etc/machine-id") for name in ("one", "two")}
    keys = {nspawn.Machine(state.Place("labtest"), name).host_key for name in ("one", "two")}
    assert len(ids) == len(keys) == 2


def test_image__of_a_running_machine_is_known_to_be_in_use() -> None:
    base = nspawn.Machine(state.Place("labtest"), "one").image
    assert base
    assert image.mounted(base)
    assert not image.mounted(base.with_name("bookworm-of-long-ago"))


def test_up__is_quick_and_silent_when_nothing_is_to_be_done() -> None:
    said: list[str] = []
    before = time.monotonic()
    lab.up(cluster(), said.append)
    assert time.monotonic() - before < 1
    assert said == []


def test_up__starts_an_added_node_and_removes_one_that_is_gone_without_touching_the_others() -> (
    None
):
    boot = on("one", "cat", "/proc/sys/kernel/random/boot_id")
    lab.up(cluster("one", "two", "three"), quiet)
    assert lab.status(cluster("one", "two", "three"))[2].running
    lab.up(cluster(), quiet)
    assert [machine.name for machine in nspawn.machines(state.Place("labtest"))] == ["one", "two"]
    assert on("one", "cat", "/proc/sys/kernel/random/boot_id") == boot


def test_reboot__comes_back_with_the_disk_and_without_the_routes_of_before() -> None:
    on("one", "touch", "/root/kept")
    on("one", "ip", "route", "add", "unreachable", "203.0.113.0/24")
    lab.reboot(cluster(), "one")
    assert "kept" in on("one", "ls", "/root")
    assert "203.0.113" not in on("one", "ip", "route")


def test_power_cut__silences_a_machine_until_it_is_started() -> None:
    lab.power_cut(cluster(), "two")
    assert running() == {"one": True, "two": False}
    assert not network.inside(NETNS, lambda: connects("198.18.117.21"))
    lab.start(cluster(), "two")
    assert on("two", "hostname") == "two\n"


def test_up__repairs_after_the_supervisors_were_killed() -> None:
    for name in ("one", "two"):
        loop = (nspawn.Machine(state.Place("labtest"), name).cgroup / "cgroup.procs").read_text()
        os.kill(int(loop), signal.SIGKILL)
    until = time.monotonic() + 10
    while any(running().values()) and time.monotonic() < until:
        time.sleep(0.05)
    assert running() == {"one": False, "two": False}
    lab.up(cluster(), quiet)
    assert on("one", "hostname") == "one\n"


@pytest.mark.parametrize(
    "damage",
    [
        ["ip", "netns", "del", NETNS],
        ["ip", "-n", NETNS, "link", "del", "br-private"],
        ["ip", "-n", NETNS, "link", "del", "priv-one"],
        ["ip", "-n", NETNS, "link", "del", "uplink"],
        ["rm", "/var/lib/nodriza/lab/labtest/overlay.json"],
        ["truncate", "--size=9", "/var/lib/nodriza/lab/labtest/network.json"],
    ],
    ids=" ".join,
)
def test_up__repairs_what_a_crash_can_leave(damage: list[str]) -> None:
    subprocess.run(damage, check=True)
    lab.up(cluster(), quiet)
    assert on("one", "bash", "-c", "'head -c 4 < /dev/tcp/198.18.117.21/22'") == "SSH-"
    assert state.read_json(state.Place("labtest").overlay)["netns"] == NETNS


def test_private_network__can_be_reached_from_inside_the_namespace_only() -> None:
    assert network.inside(NETNS, lambda: connects("198.18.117.20"))
    assert not connects("198.18.117.20")
    assert connects("198.18.118.20"), "a browser on the controller opens the children"


def test_lab_addresses__that_no_machine_has_stay_in_the_computer() -> None:
    routes = subprocess.run(
        ["ip", "route", "get", "198.18.117.99"], capture_output=True, text=True, check=False
    )
    assert "No route to host" in routes.stderr
    rules = subprocess.run(
        ["nft", "list", "table", "ip", "nodriza_labtest"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "ip daddr 198.18.0.0/15 drop" in rules


def test_machine_that_can_not_boot__is_reported_at_once_with_its_last_words() -> None:
    lab.power_cut(cluster(), "two")
    init = nspawn.Machine(state.Place("labtest"), "two").upper / "usr/lib/systemd/systemd"
    init.parent.mkdir(parents=True, exist_ok=True)
    init.write_text("not a program\n")
    before = time.monotonic()
    with pytest.raises(LabError, match=r"(?s)two went off.*failed: Permission denied"):
        lab.up(cluster(), quiet)
    assert time.monotonic() - before < 10
    init.unlink()


def test_second_lab__is_refused_the_networks_of_the_first() -> None:
    with pytest.raises(LabError, match="already that of the lab labtest"):
        lab.up(cluster(name="labtest2"), quiet)
    assert not state.Place("labtest2").folder.exists()


def test_cluster_without_lab_key__is_never_made_a_lab() -> None:
    production = cluster()
    production.lab = None
    with pytest.raises(LabError, match="not meant to be a lab"):
        lab.up(production, quiet)


def test_down__leaves_nothing() -> None:
    lab.down(cluster(), quiet)
    listed = [
        subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        for argv in (
            ["ip", "netns"],
            ["ip", "link"],
            ["ip", "route"],
            ["nft", "list", "ruleset"],
            ["mount"],
            ["ps", "-eo", "args"],
        )
    ]
    everything = "\n".join(listed)
    assert "labtest" not in everything
    assert "198.18.117" not in everything
    assert not state.Place("labtest").folder.exists()
    assert not nspawn.cgroup_of("labtest").exists()


def test_entering__a_lab_that_is_not_up_says_what_to_type() -> None:
    with pytest.raises(LabError, match="the lab is not up") as error:
        network.enter("nodriza-nobody")
    assert error.value.do == "fab lab.up"
