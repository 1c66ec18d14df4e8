"""A lab of containers: switching its machines on and off.

``up`` compares what is there with the inventory and does what is missing, so it is
also how a lab is repaired after a crash and how a node is added or taken away.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from nodriza.errors import LabError
from nodriza.lab import network, programs, ssh, state
from nodriza.lab import wiring as wires
from nodriza.lab.containers import disk, image, nspawn
from nodriza.lab.driver import MachineStatus

if TYPE_CHECKING:
    from nodriza.inventory.model import Cluster, Node

BOOT_SECONDS = 60
RUNNING = state.RUN / "labs"
AT_ONCE = 16
"""Machines that are started, or asked, side by side."""


def up(cluster: Cluster, say: Callable[[str], None]) -> None:
    """Bring every machine of the inventory to an SSH greeting, and write the overlay."""
    programs.require()
    programs.make_room()
    network.leave(wires.netns_of(cluster.name))
    place = state.Place(cluster.name)
    with state.one_at_a_time(cluster.name):
        mark = _mark(cluster, place)
        wiring = wires.plan(cluster)
        place.make()
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text(f"{place.folder}\n")
        if not place.key.exists():
            disk.make_key(place.key, f"lab {cluster.name}")
        network.ensure(wiring, place, _way_out(cluster))
        started = _machines_up(cluster, place, wiring, say)
        _pin_host_keys(cluster, place)
        _wait(cluster, place, started, say)
        engine, reason = _share(cluster, place)
        state.write_json(
            place.overlay,
            {
                "driver": "nspawn",
                "netns": wiring.netns,
                "share_engine": engine,
                "share_reason": reason,
                "logins": {node.name: _login(place) for node in cluster.nodes},
            },
        )
        if reason and started:
            say(f"{reason}: the share is {engine}")


def down(cluster: Cluster, say: Callable[[str], None]) -> None:
    """Take away every machine, the network and the lab's files; base images stay."""
    programs.require()
    network.leave(wires.netns_of(cluster.name))
    place = state.Place(cluster.name)
    with state.one_at_a_time(cluster.name):
        mark = _mark(cluster, place)
        machines = nspawn.machines(place)
        # First, so that a command started now finds no lab instead of half a one.
        place.overlay.unlink(missing_ok=True)
        for machine in machines:
            machine.power_cut()
        for machine in machines:
            machine.remove()
        nspawn.remove_cgroup(nspawn.cgroup_of(cluster.name))
        network.remove(wires.traces(cluster, place), place)
        if place.folder.exists():
            shutil.rmtree(place.folder)
        mark.unlink(missing_ok=True)
        say(f"lab {cluster.name}: {len(machines)} machines gone")


def _way_out(cluster: Cluster) -> wires.WayOut:
    config = cluster.lab
    return wires.WayOut(config.internet, config.unreachable) if config else wires.OPEN


def _mark(cluster: Cluster, place: state.Place) -> Path:
    """Where a lab that is up says whose it is: its machines and network are known by name.

    Raises ``LabError`` when it is another state folder's, which would be taken over.
    """
    mark = RUNNING / cluster.name
    other = mark.read_text().strip() if mark.exists() else ""
    up_now = wires.namespace_file(wires.netns_of(cluster.name)).exists()
    if up_now and other not in ("", str(place.folder)):
        raise LabError(
            f"another lab of the name {cluster.name} is up, with its state in {other}",
            kept="it was left alone",
            do=f"choose another name, or: NODRIZA_LAB_STATE={Path(other).parent} fab lab.down",
        )
    return mark


def status(cluster: Cluster) -> list[MachineStatus]:
    """Each node of the inventory, whether or not the lab is up."""
    place = state.Place(cluster.name)
    found = []
    for node in cluster.nodes:
        machine = nspawn.Machine(place, node.name)
        running = machine.running
        since = machine.since if running else None
        found.append(MachineStatus(node.name, _addresses(node), running, since))
    return found


def reach(cluster: Cluster) -> Cluster | None:
    """The cluster itself, seen from inside its lab's network."""
    if cluster.lab_overlay is None:
        return None
    network.enter(cluster.lab_overlay.netns)
    return cluster


def reboot(cluster: Cluster, name: str) -> None:
    """Restart a machine as ``reboot`` does, and wait until it greets again."""
    machine = _machine(cluster, name)
    before = machine.booted
    argv = [*ssh_argv(cluster, name), "systemctl", "reboot"]
    # The line breaks while the machine goes down; whether it went is seen below.
    subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
    until = time.monotonic() + BOOT_SECONDS
    while machine.booted == before:
        if time.monotonic() > until:
            raise LabError(f"{name} did not reboot", where=str(machine.folder / "console.log"))
        time.sleep(0.02)
    _wait_for(cluster, machine)


def power_cut(cluster: Cluster, name: str) -> None:
    """Kill a machine's every process at once. It stays off until ``start`` or ``up``."""
    _machine(cluster, name).power_cut()


def start(cluster: Cluster, name: str) -> None:
    """Switch a machine on and wait until it greets."""
    machine = _machine(cluster, name)
    machine.start()
    _wait_for(cluster, machine)


def ssh_argv(cluster: Cluster, name: str) -> list[str]:
    """The command that logs in on a machine as root, from any network namespace."""
    place = state.Place(cluster.name)
    node = next(node for node in cluster.nodes if node.name == name)
    namespace = wires.namespace_file(wires.netns_of(cluster.name))
    if not namespace.exists():
        raise LabError("the lab is not up", do="fab lab.up")
    return [
        *("nsenter", f"--net={namespace}"),
        *ssh.argv(
            f"root@{node.private}",
            place.key,
            UserKnownHostsFile=str(place.known_hosts),
            StrictHostKeyChecking="yes",
        ),
    ]


def _machine(cluster: Cluster, name: str) -> nspawn.Machine:
    if name not in {node.name for node in cluster.nodes}:
        raise LabError(f"no node {name} in the inventory", where=str(cluster.path))
    return nspawn.Machine(state.Place(cluster.name), name)


def _addresses(node: Node) -> tuple[str, ...]:
    return tuple(address for address in (node.private, node.public) if address)


def _machines_up(
    cluster: Cluster, place: state.Place, wiring: wires.Wiring, say: Callable[[str], None]
) -> set[str]:
    """Start what does not run as it should; the names of those."""
    nodes = {node.name: node for node in cluster.nodes}
    for machine in nspawn.machines(place):
        if machine.name not in nodes:
            say(f"{machine.name}: not in the inventory any more, removing it")
            machine.remove()
    # Images are built here, one after the other: each would take all processors.
    base = {node.name: _image(place, cluster, node.name, say) for node in cluster.nodes}
    plugged = network.plugged(wiring.netns)
    folders = cluster.lab.folders if cluster.lab else {}

    def one(node: Node) -> str | None:
        machine = nspawn.Machine(place, node.name)
        rewired = machine.make(node, base[node.name], wiring, folders)
        unplugged = not plugged.issuperset(nspawn.links_of(node, wiring).values())
        if machine.running and not rewired and not unplugged:
            return None
        machine.power_cut()
        machine.start()
        return node.name

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return {name for name in pool.map(one, cluster.nodes) if name}


def _image(place: state.Place, cluster: Cluster, name: str, say: Callable[[str], None]) -> Path:
    """The image a machine has, while it is of the wanted release; else today's."""
    machine = nspawn.Machine(place, name)
    release = "bookworm"
    if cluster.lab:
        release = cluster.lab.releases.get(name, cluster.lab.release)
    had = machine.image
    if had and had.exists() and had.name.startswith(f"{release}-"):
        image.used(had)
        return had
    if had:
        say(f"{name}: its base image is no Debian {release}, or gone: making it anew")
        machine.remove()
    return image.ensure(image.recipe(release), say)


def _pin_host_keys(cluster: Cluster, place: state.Place) -> None:
    lines = []
    for node in cluster.nodes:
        names = ",".join((node.name, *_addresses(node)))
        lines.append(f"{names} {nspawn.Machine(place, node.name).host_key}\n")
    state.write(place.known_hosts, "".join(lines))


def _greeting(cluster: Cluster, nodes: Iterable[Node], seconds: float) -> list[str]:
    """The names of the nodes whose sshd does not greet in time."""
    netns, place = wires.netns_of(cluster.name), state.Place(cluster.name)

    def one(node: Node) -> str | None:
        machine = nspawn.Machine(place, node.name)
        return None if nspawn.answers(machine, node.private, seconds) else node.name

    with ThreadPoolExecutor(AT_ONCE, initializer=network.switch, initargs=(netns,)) as pool:
        return [name for name in pool.map(one, nodes) if name]


def _wait(
    cluster: Cluster, place: state.Place, started: set[str], say: Callable[[str], None]
) -> None:
    if started:
        say(f"starting {', '.join(n.name for n in cluster.nodes if n.name in started)}")
    old = [node for node in cluster.nodes if node.name not in started]
    for name in _greeting(cluster, old, seconds=5):
        say(f"{name}: runs but does not answer, restarting it")
        machine = nspawn.Machine(place, name)
        machine.power_cut()
        machine.start()
    silent = _greeting(cluster, cluster.nodes, seconds=BOOT_SECONDS)
    if silent:
        raise _mute(cluster, nspawn.Machine(place, silent[0]), others=silent[1:])


def _wait_for(cluster: Cluster, machine: nspawn.Machine) -> None:
    node = next(node for node in cluster.nodes if node.name == machine.name)
    if _greeting(cluster, [node], seconds=BOOT_SECONDS):
        raise _mute(cluster, machine, others=[])


def _mute(cluster: Cluster, machine: nspawn.Machine, others: list[str]) -> LabError:
    also = f" (nor do {', '.join(others)})" if others else ""
    trouble = f"does not answer SSH after {BOOT_SECONDS} s" if machine.running else "went off"
    return LabError(
        f"{machine.name} {trouble}{also}; its console's last words:\n{machine.last_words()}",
        where=str(machine.folder / "console.log"),
        kept="the other machines run",
        do=f"fab lab.down and fab lab.up make the lab {cluster.name} anew",
    )


def _login(place: state.Place) -> dict[str, str]:
    return {"user": "root", "key": str(place.key), "known_hosts": str(place.known_hosts)}


def _share(cluster: Cluster, place: state.Place) -> tuple[str, str]:
    """Which network file system the machines can have on this kernel, and why."""
    for module in ("nfs", "nfsd"):
        programs.succeeds(["modprobe", "--quiet", module])
    known = Path("/proc/filesystems").read_text().split()
    if "nfs4" not in known or "nfsd" not in known:
        return "glusterfs", "this kernel has no NFS"
    # A cluster that was loaded with an older overlay carries that one's choice.
    forced = state.read_json(place.overlay).get("share_reason")
    return ("nfs" if forced else cluster.share.engine), ""
