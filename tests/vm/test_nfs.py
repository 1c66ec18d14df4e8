"""What only the kernel's NFS can show: what is seen when, who may mount, who comes back."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from nodriza.errors import NodrizaError
from nodriza.smoke import Site
from tests.lab.project import Project, wait_for
from tests.lab.visitor import get, serving
from tests.vm.conftest import took

HANDLE = Path(__file__).with_name("made_up_handle.py")
SLOW = 1500
"""Seconds for an emulated machine to start and to be itself again."""
# A machine of its own on the same network, with another address than the inventory's.
STRANGER = """
set -e
modprobe macvlan
ip netns add stranger
ip link add link eth1 name strange netns stranger type macvlan mode bridge
ip -n stranger addr add {address}/24 dev strange
ip -n stranger link set strange up
mkdir -p /mnt/stolen
"""
MOUNT = (
    "ip netns exec stranger timeout -s KILL 40 mount -t nfs4 -o retry=0 {source} /mnt/stolen 2>&1"
)
NO_STRANGER = "umount /mnt/stolen; ip netns del stranger"


WAIT = "ps -eo stat=,comm= | awk '$1 ~ /^D/' | grep -E 'uwsgi|celery|python' || true"


def sh(site: Site, node: str, script: str) -> str:
    return site.on(site.cluster.node(node), "sh", "-c", script)


def boot_ids(site: Site, nodes: Sequence[str]) -> dict[str, str]:
    """Each machine's boot; empty while it does not answer."""

    def one(node: str) -> str:
        try:
            return sh(site, node, "cat /proc/sys/kernel/random/boot_id")
        except (NodrizaError, OSError, EOFError):
            return ""

    return {node: one(node) for node in nodes}


def reboot(site: Site, *nodes: str) -> float:
    """Reboot machines side by side, and wait until the whole site works; the seconds."""
    before = boot_ids(site, nodes)
    began = time.monotonic()
    for node in nodes:
        sh(site, node, "systemd-run --on-active=1 --timer-property=AccuracySec=100ms reboot")

    def again() -> bool:
        now = boot_ids(site, nodes)
        return all(now[node] not in ("", before[node]) for node in nodes)

    wait_for(f"reboot of {', '.join(nodes)}", SLOW, again)
    wait_for("site", SLOW, lambda: healthy(site))
    return time.monotonic() - began


def healthy(site: Site) -> bool:
    """Every child reaches its database and its share, and says so."""
    if not serving(site.cluster):
        return False
    answers = [
        get(child.web_address, "/healthz", site.cluster.domain) for child in site.cluster.children
    ]
    return all(status == 200 for status, _, _ in answers)


def nothing_hangs(site: Site) -> None:
    """No stale handle, and no process that waits for a file that never comes."""
    app = site.cluster.app
    for node in site.cluster.nodes:
        assert "Stale" not in sh(site, node.name, f"ls {app.current}/ {app.media} 2>&1")
        # A program that starts waits for its disk as well, but not for long.
        wait_for(
            f"the programs on {node.name}", SLOW, lambda at=node.name: sh(site, at, WAIT) == ""
        )


def test_share__is_the_kernels_nfs_and_the_portmapper_is_off(site: Site) -> None:
    app = site.cluster.app
    for node in site.cluster.nodes:
        assert ":111 " not in sh(site, node.name, "ss -Hlntu")
        if node.kind != "central":
            seen = sh(
                site, node.name, f"ls {app.root} >/dev/null; grep ' {app.root} nfs4 ' /proc/mounts"
            )
            assert "vers=4.2" in seen
            assert "acregmax=1," in seen


def test_handle_that_nobody_was_given__opens_nothing_outside_of_the_share(site: Site) -> None:
    """As the root of a child, for a file that is MariaDB's alone, in both ways of sharing."""
    central, app = site.cluster.builder, site.cluster.app
    secret = "/var/lib/mysql/not-for-others"
    sh(site, "server-1", f"install -m 600 -o mysql /dev/null {secret} && echo secret >{secret}")
    mysql = sh(site, "server-1", "id -u mysql").strip()
    script = base64.b64encode(HANDLE.read_bytes()).decode()

    def read(fsid: int, path: str) -> str:
        words = f"python3 - {central.private} {fsid} {mysql} {path}"
        return sh(site, "server-2", f"echo {script} | base64 -d | {words}").strip()

    # The share has a file system of its own: its root has no such folder.
    assert read(app.uid, secret) == "NFS4ERR 2"
    # A folder of the system's disk: the root of that is not below the export.
    child = site.cluster.node("server-2").private
    options = "rw,sync,{},root_squash,fsid=4711"
    try:
        sh(site, "server-1", f"exportfs -o {options.format('subtree_check')} {child}:/srv")
        assert read(4711, secret) == "NFS4ERR 70"
        # What it would be without: this test can fail.
        sh(site, "server-1", f"exportfs -o {options.format('no_subtree_check')} {child}:/srv")
        assert read(4711, secret) == "secret"
    finally:
        sh(site, "server-1", f"exportfs -u {child}:/srv; rm {secret}")


def test_second_provision__changes_nothing(deployed: Project) -> None:
    said = took(deployed, "provision")
    assert "nothing" in said, said[-2000:]


def test_smoke__is_green(deployed: Project, times: dict[str, float]) -> None:
    said = took(deployed, "smoke")
    for sentence, seconds in re.findall(r"^ok +(.*) \((\S+) s\)$", said, re.MULTILINE):
        times[f"smoke: {sentence}"] = float(seconds)


def test_upload__through_one_child_is_readable_from_the_other_at_once(site: Site) -> None:
    """As the application's user: to the server, a child's root is nobody."""
    app = site.cluster.app
    write = f"runuser -u {app.name} -- sh -c"
    for number in range(5):
        sh(site, "server-2", f"{write} 'echo {number} > {app.media}/crossing-{number}'")
        assert sh(site, "server-3", f"cat {app.media}/crossing-{number}") == f"{number}\n"
    sh(site, "server-2", f"{write} 'rm {app.media}/crossing-*'")
    with pytest.raises(NodrizaError, match="Permission denied"):
        sh(site, "server-2", f"touch {app.media}/root-was-here")


def test_touch_of_the_reload_file__is_noticed_within_seconds(
    site: Site, times: dict[str, float]
) -> None:
    app = site.cluster.app
    sh(site, "server-1", f"touch {app.reload}")
    wanted = sh(site, "server-1", f"stat -c %Y {app.reload}")
    began = time.monotonic()
    wait_for("touch", 10, lambda: sh(site, "server-3", f"stat -c %Y {app.reload}") == wanted)
    times["a touch on server-1 is seen on server-3"] = time.monotonic() - began
    assert time.monotonic() - began < 10


def test_stranger__on_the_same_network_can_not_mount(site: Site) -> None:
    central, app = site.cluster.builder, site.cluster.app
    address = central.private.rpartition(".")[0] + ".99"
    sh(site, "server-2", STRANGER.format(address=address))
    mount = MOUNT.format(source=f"{central.private}:{app.root}")
    try:
        with pytest.raises(NodrizaError):
            sh(site, "server-2", mount)
        # Not the firewall alone: with a door in it the export itself refuses.
        door = f"nft insert rule inet nodriza input ip saddr {address} tcp dport 2049 accept"
        sh(site, "server-1", door)
        said = sh(site, "server-2", f"{mount} || true")
        assert "denied" in said or "not permitted" in said or "No such file" in said
    finally:
        sh(site, "server-1", "systemctl reload nftables")
        sh(site, "server-2", NO_STRANGER + " || true")


@pytest.mark.parametrize(
    "nodes",
    [("server-1",), ("server-2",), ("server-1", "server-2", "server-3", "video-1")],
    ids=", ".join,
)
def test_reboot__everything_comes_back_by_itself(
    nodes: tuple[str, ...], site: Site, deployed: Project
) -> None:
    deployed.times[f"reboot of {', '.join(nodes)}"] = reboot(site, *nodes)
    nothing_hangs(site)
