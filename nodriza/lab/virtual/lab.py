"""A lab of virtual machines: Vagrant with VirtualBox or libvirt.

Vagrant makes the machines, whoever types it; what is here says what machines there are
(``machines``, for the Vagrantfile), and finds out how to log in on them (``reach``).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodriza.errors import LabError
from nodriza.inventory.load import load_cluster
from nodriza.lab import network, programs, silence, ssh, state
from nodriza.lab import wiring as wires
from nodriza.lab.driver import MachineStatus
from nodriza.lab.virtual import kvm, libvirt, logins
from nodriza.lab.virtual.vagrant import Vagrant
from nodriza.repository.write import FILES

if TYPE_CHECKING:
    from nodriza.inventory.model import Cluster, Node

BOOT_SECONDS = {"kvm": 300, "emulated": 1200}
"""Until SSH answers; an emulated processor is ten times slower, and there may be many."""
HARDWARE = {
    "kvm": {"driver": "kvm", "cpu_mode": "host-passthrough"},
    "emulated": {"driver": "qemu", "cpu_mode": "maximum"},
}
"""Words of vagrant-libvirt, and of libvirt's description of a domain."""
SHARED = ("virbr", "vboxnet")
"""Interfaces of libvirt's and VirtualBox's networks, which they look after themselves."""
SPARE_MB = 256
"""What this computer keeps for itself."""


@dataclass(frozen=True)
class Lab:
    """The machines of one inventory."""

    cluster: Cluster

    @property
    def place(self) -> state.Place:
        """What is remembered of it."""
        return state.Place(self.cluster.name)

    @property
    def folder(self) -> Path:
        """Where its Vagrantfile is, or will be: beside the folder of inventories."""
        return self.cluster.path.parent.parent

    @property
    def vagrant(self) -> Vagrant:
        """Vagrant for them. Its data are where it would put them for ``vagrant.yml``."""
        word = self.cluster.path.stem
        own = Path(".vagrant") if word == "vagrant" else Path(".vagrant") / word
        return Vagrant(self.folder, self.cluster.path, self.folder / own)

    @property
    def netns(self) -> str:
        """The namespace that they are in, if it is not the computer's own."""
        netns = wires.netns_of(self.cluster.name)
        ours = libvirt.OWN.exists() and libvirt.OWN.read_text() == self.cluster.name
        return netns if ours else ""


def up(cluster: Cluster, say: Callable[[str], None]) -> None:
    """Bring every machine of the inventory to SSH, and write down how to log in."""
    lab = Lab(cluster)
    vagrant = lab.vagrant
    with _alone(lab) as provider:
        if not (lab.folder / "Vagrantfile").exists():
            shutil.copy(FILES / "Vagrantfile", lab.folder)
            say(f"wrote {lab.folder}/Vagrantfile")
        if not vagrant.ids():
            wires.refuse_taken(cluster, wires.networks_of(cluster), shared=SHARED)
            refuse_too_large(cluster.nodes)
        _prepare(lab, provider)
        if provider == "libvirt":
            _tidy(lab, [node.name for node in cluster.nodes], say)
        if vagrant.ids():
            states = vagrant.states()
            refuse_too_large([n for n in cluster.nodes if states.get(n.name) != "running"])
        with _not_silent(lab.cluster, provider, vagrant):
            vagrant.up(provider, lambda line: say(line) if line.startswith("==>") else None)
        logins.find(lab)


def down(cluster: Cluster, say: Callable[[str], None]) -> None:
    """Destroy every machine, and what a crash has left of others."""
    lab = Lab(cluster)
    vagrant = lab.vagrant
    with _alone(lab) as provider:
        number = len(vagrant.ids())
        lab.place.overlay.unlink(missing_ok=True)
        _prepare(lab, provider)
        if number:
            vagrant.destroy()
        if provider == "libvirt":
            _tidy(lab, [], say)
            network.leave(wires.netns_of(cluster.name))
            libvirt.stop_own(cluster, lab.place)
        shutil.rmtree(lab.place.folder, ignore_errors=True)
        say(f"lab {cluster.name}: {number} machines gone")


def status(cluster: Cluster) -> list[MachineStatus]:
    """Each node of the inventory, whether or not the lab is up."""
    lab = Lab(cluster)
    states = {}
    if lab.vagrant.ids():
        _enter(lab)
        states = lab.vagrant.states()
    return [
        MachineStatus(
            node.name,
            tuple(address for address in (node.private, node.public) if address),
            states.get(node.name) == "running",
            None,
        )
        for node in cluster.nodes
    ]


def reach(cluster: Cluster) -> Cluster | None:
    """The cluster with the way in to each of its machines; ``None`` while there is none.

    Vagrant is asked again after it has made or started a machine: it takes seconds.
    """
    lab = Lab(cluster)
    vagrant = lab.vagrant
    if not vagrant.ids():
        return None
    _enter(lab)
    overlay = lab.place.overlay
    if not overlay.exists() or overlay.stat().st_mtime <= vagrant.last_change():
        _require()
        logins.find(lab)
    return load_cluster(cluster.path)


def ssh_argv(cluster: Cluster, name: str) -> list[str]:
    """The command that logs in on a machine."""
    reached = reach(cluster)
    if reached is None:
        raise LabError("the lab is not up", do="fab lab.up")
    login = reached.node(name).ssh
    return ssh.argv(
        f"{login.user}@{login.host}",
        str(login.key),
        login.port,
        UserKnownHostsFile=str(login.known_hosts),
        StrictHostKeyChecking="yes",
        ConnectTimeout=str(logins.PATIENCE),
    )


def machines(cluster: Cluster) -> dict[str, Any]:
    """For the Vagrantfile: the box, the machines, and what each provider must know."""
    accelerated = kvm.acceleration(cluster)
    release = cluster.lab.release if cluster.lab else "bookworm"
    box = cluster.lab.box if cluster.lab else None
    return {
        "box": os.environ.get("NODRIZA_BOX") or box or f"debian/{release}64",
        "boot_seconds": BOOT_SECONDS[accelerated],
        "libvirt": {
            **HARDWARE[accelerated],
            "prefix": _prefix(cluster),
        },
        "machines": [
            {
                "name": node.name,
                "memory_mb": node.memory_mb,
                "cpus": node.cpus,
                "networks": [
                    {
                        "name": f"{_prefix(cluster)}{one.name}",
                        "ip": getattr(node, one.name),
                        "netmask": str(IPv4Network(one.cidr).netmask),
                    }
                    for one in wires.networks_of(cluster)
                    if getattr(node, one.name)
                ],
            }
            for node in cluster.nodes
        ],
    }


def _not_silent(cluster: Cluster, provider: str, vagrant: Vagrant) -> AbstractContextManager[None]:
    if provider != "libvirt":  # VirtualBox always has the processor, or refuses in words
        return nullcontext()
    return silence.refused(_prefix(cluster), kvm.acceleration(cluster), vagrant.stop)


def _prefix(cluster: Cluster) -> str:
    return f"nodriza-{cluster.name}-"


@contextmanager
def _alone(lab: Lab) -> Iterator[str]:
    """With nobody else at work on these machines; the provider of them."""
    network.leave(wires.netns_of(lab.cluster.name))
    provider = _provider(lab.vagrant)
    busy = "another command is working on this lab"
    with state.locked(lab.vagrant.data / "nodriza.lock", busy=busy, seconds=600):
        yield provider


def _tidy(lab: Lab, names: Sequence[str], say: Callable[[str], None]) -> None:
    """Remove machines of this folder that are not ``names``, or that Vagrant has forgotten."""
    ids = lab.vagrant.ids()
    known = {ids[name] for name in names if name in ids}
    for name in libvirt.remove_leftovers(_prefix(lab.cluster), known, lab.folder):
        say(f"{name}: in no inventory any more, or left by a crash: removed")
    for name in ids.keys() - set(names):
        lab.vagrant.forget(name)


def _require() -> None:
    if not shutil.which("vagrant"):
        raise LabError(
            "Vagrant is not installed",
            kept="nothing was changed",
            do="apt-get install vagrant vagrant-libvirt libvirt-daemon-system qemu-system-x86,"
            " or Vagrant and VirtualBox from their makers",
        )


def _provider(vagrant: Vagrant) -> str:
    """That of the machines there are, or that is wanted, or that is installed."""
    _require()
    if chosen := vagrant.provider() or os.environ.get("VAGRANT_DEFAULT_PROVIDER"):
        return chosen
    for program, provider in (("virsh", "libvirt"), ("VBoxManage", "virtualbox")):
        if shutil.which(program, path=f"{os.environ.get('PATH', '')}:{programs.PATH}"):
            return provider
    raise LabError(
        "Vagrant has nothing to make virtual machines with",
        kept="nothing was changed",
        do="apt-get install vagrant-libvirt libvirt-daemon-system qemu-system-x86, or install"
        " VirtualBox",
    )


def _prepare(lab: Lab, provider: str) -> None:
    """See that the provider answers, and go where its machines can be reached from."""
    if provider != "libvirt":
        return
    if lab.netns or libvirt.is_ours_to_start():
        # One that answers and is nobody's lab's was started by somebody for all.
        if lab.netns or libvirt.OWN.exists() or libvirt.answers():
            lab.place.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            libvirt.start_own(lab.cluster, lab.place)
            network.enter(wires.netns_of(lab.cluster.name))
        return
    if words := libvirt.answers():
        raise LabError(
            f"no libvirt daemon answers: {words}",
            kept="nothing was changed",
            do="systemctl enable --now libvirtd, and adduser $USER libvirt (then log in anew)",
        )


def _enter(lab: Lab) -> None:
    if lab.netns:
        network.enter(lab.netns)


def refuse_too_large(nodes: Sequence[Node]) -> None:
    """Raise ``LabError`` for more memory than this computer has left."""
    needed = sum(node.memory_mb for node in nodes)
    found = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    free = int(found[1]) // 1024 - SPARE_MB if found else needed
    if needed > free:
        each = ", ".join(f"{node.name} {node.memory_mb}" for node in nodes)
        raise LabError(
            f"the machines need {needed} MiB of memory ({each}), and {free} MiB are free",
            kept="nothing was started",
            do="close something, or make memory_mb smaller in the inventory",
        )
