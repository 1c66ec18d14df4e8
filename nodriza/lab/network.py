"""The lab's network: one namespace with a bridge per network, and a guarded way out.

::

    machine      netns nodriza-<cluster>                       the controller
    priv0 ────── br-private 198.18.7.1
    pub0  ────── br-public  198.18.8.1 ── uplink ── nd-<hash> ── the world

A lab address never leaves the computer: whatever goes out carries the uplink's
address, and whatever is meant for a lab's addresses and is not in the lab is
dropped. From the controller itself only the public network can be reached, so that
a browser shows the children; commands for the machines first ``enter`` the namespace.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from nodriza.errors import LabError
from nodriza.lab import state
from nodriza.lab.programs import run, succeeds
from nodriza.lab.wiring import (
    OPEN,
    WayOut,
    Wiring,
    inner_rules,
    namespace_file,
    netns_of,
    outer_rules,
)

CLONE_NEWNET = 0x40000000
FILTER = ("ip", "filter", "FORWARD")
LAST_RESORT = "4096"
"""The metric of the routes that make lab addresses unreachable when the lab is not there."""

_OWN = Path("/proc/thread-self/ns/net")
_home: list[BinaryIO] = []
"""Where ``enter`` came from."""

T = TypeVar("T")


def enter(netns: str) -> None:
    """Move this thread, and all that it starts from now on, into the namespace.

    Call it before other threads are started: those stay where they are.
    """
    came_from = _OWN.open("rb")
    try:
        switch(netns)
    except BaseException:
        came_from.close()
        raise
    _home.append(came_from)


def leave(netns: str) -> None:
    """Back to where ``enter`` came from: a lab is made and unmade from outside."""
    if _home:
        _set_namespace(_home[0])
        while _home:
            _home.pop().close()
    there = namespace_file(netns)
    if there.exists() and there.stat().st_ino == _OWN.stat().st_ino:
        raise LabError(
            "this command was started inside the lab's own network",
            kept="nothing was changed",
            do="the same from outside that namespace",
        )


def switch(netns: str) -> None:
    """Like ``enter``, for threads that end there: there is no way back."""
    try:
        with namespace_file(netns).open("rb") as file:
            _set_namespace(file)
    except FileNotFoundError:
        raise LabError("the lab is not up", do="fab lab.up") from None


def inside(netns: str, work: Callable[[], T]) -> T:
    """What ``work`` answers in the namespace; the caller stays where it is."""
    answers: list[T] = []
    errors: list[BaseException] = []

    def thread() -> None:
        try:
            switch(netns)
            answers.append(work())
        except BaseException as error:  # noqa: BLE001 - raised again by the caller
            errors.append(error)

    worker = threading.Thread(target=thread)
    worker.start()
    worker.join()
    if errors:
        raise errors[0]
    return answers[0]


def _set_namespace(file: BinaryIO) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(file.fileno(), CLONE_NEWNET) == 0:
        return
    number = ctypes.get_errno()
    if number == errno.EPERM:
        raise LabError("entering a lab's network needs root", do="the same with sudo in front")
    # A name with no namespace behind it: half made, or older than the computer's last start.
    raise LabError(f"the lab is not up ({os.strerror(number)})", do="fab lab.up")


def ensure(wiring: Wiring, place: state.Place, way_out: WayOut = OPEN) -> None:
    """Make the network, or repair it: what is right already stays untouched."""
    wanted = json.loads(json.dumps(asdict(wiring)))
    if not _is_namespace(wiring.netns) or state.read_json(place.network) != wanted:
        remove(state.read_json(place.network) or wanted, place)
        run(["ip", "netns", "add", wiring.netns])
        state.write_json(place.network, wanted)
    _links(wiring)
    if not way_out.open:
        succeeds(["ip", "-n", wiring.netns, "route", "del", "default"])
    inside(wiring.netns, lambda: _sysctl("net/ipv4/ip_forward", "1"))
    _forward_on()
    inner, outer = inner_rules(wiring, way_out), outer_rules(wiring, way_out)
    run(["ip", "netns", "exec", wiring.netns, "nft", "-f", "-"], stdin=inner)
    run(["nft", "-f", "-"], stdin=outer)
    _let_through(wiring.uplink)


def remove(wiring: dict[str, Any], place: state.Place) -> None:
    """Take away what ``network.json`` describes, however little of it is there."""
    netns = wiring["netns"]
    table = netns.replace("-", "_")
    succeeds(["ip", "link", "del", wiring["uplink"]])
    for network in wiring["networks"]:
        route = ["unreachable", network["cidr"], "metric", LAST_RESORT]
        succeeds(["ip", "route", "del", *route])
    succeeds(["nft", "delete", "table", "ip", table])
    for handle in _let_through_rules(wiring["uplink"]):
        succeeds(["nft", "delete", "rule", *FILTER, "handle", str(handle)])
    if namespace_file(netns).exists():
        run(["ip", "netns", "del", netns])
    place.network.unlink(missing_ok=True)
    _forward_off()


def plugged(netns: str) -> set[str]:
    """The interfaces on a lab's bridges: the far end of each running machine."""
    return {link["ifname"] for link in _interfaces(netns) if "master" in link}


def _interfaces(netns: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(["ip", "-n", netns, "-j", "link"]) or "[]")
    return found


def _is_namespace(netns: str) -> bool:
    try:
        return inside(netns, lambda: True)
    except LabError:
        return False


def _links(wiring: Wiring) -> None:
    there = {link["ifname"] for link in _interfaces(wiring.netns)}
    inner = ["link set lo up"]
    for network in wiring.networks:
        if network.bridge not in there:
            inner.append(f"link add {network.bridge} type bridge stp_state 0 forward_delay 0")
        inner += [
            f"addr replace {network.gateway}/{network.length} dev {network.bridge}",
            f"link set {network.bridge} up",
        ]
    if "uplink" not in there:
        succeeds(["ip", "link", "del", wiring.uplink])
        peer = ["peer", "name", "uplink", "netns", wiring.netns]
        run(["ip", "link", "add", wiring.uplink, "type", "veth", *peer])
    inner += [
        f"addr replace {wiring.inside}/30 dev uplink",
        "link set uplink up",
        f"route replace default via {wiring.outside}",
    ]
    outer = [f"addr replace {wiring.outside}/30 dev {wiring.uplink}"]
    outer += [f"link set {wiring.uplink} up"]
    for network in wiring.networks:
        outer.append(f"route replace unreachable {network.cidr} metric {LAST_RESORT}")
        if network.name == "public":
            outer.append(f"route replace {network.cidr} via {wiring.inside} dev {wiring.uplink}")
    run(["ip", "-batch", "-"], stdin="\n".join(outer) + "\n")
    run(["ip", "-n", wiring.netns, "-batch", "-"], stdin="\n".join(inner) + "\n")


def _let_through(uplink: str) -> None:
    """Docker and ufw drop what they do not know; our own table says what may not pass."""
    if not succeeds(["nft", "list", "chain", *FILTER]) or _let_through_rules(uplink):
        return
    for side in ("iifname", "oifname"):
        run(["nft", "insert", "rule", *FILTER, side, uplink, "accept", "comment", f'"{uplink}"'])


def _let_through_rules(uplink: str) -> list[int]:
    try:
        chain = json.loads(run(["nft", "-j", "-a", "list", "chain", *FILTER]))
    except LabError:
        return []
    rules = [entry["rule"] for entry in chain["nftables"] if "rule" in entry]
    return [rule["handle"] for rule in rules if rule.get("comment") == uplink]


def _sysctl(name: str, value: str) -> None:
    path = Path("/proc/sys") / name
    if path.read_text().strip() != value:
        path.write_text(value)


def _forward_on() -> None:
    """Let the controller forward, remembering that it did not."""
    before = Path("/proc/sys/net/ipv4/ip_forward").read_text().strip()
    if before == "0":
        state.write(_remembered(), before)
        _sysctl("net/ipv4/ip_forward", "1")


def _forward_off() -> None:
    """The last lab that goes puts forwarding back as the first one found it.

    Another user's labs count too, and one that is just coming up: the setting is the computer's.
    """
    if any(namespace_file(netns_of("")).parent.glob(netns_of("*"))):
        return
    with suppress(FileNotFoundError):
        _sysctl("net/ipv4/ip_forward", _remembered().read_text())
        _remembered().unlink()


def _remembered() -> Path:
    # In /run: after a restart of the computer the setting is gone, and so is the memory of it.
    return Path("/run/nodriza-lab-ip_forward")
