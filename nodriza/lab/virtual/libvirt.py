"""libvirt: the computer's own daemon, or one of the lab's where nobody else runs one.

In a container (CI) there is no systemd that could start libvirtd. Root gets one there,
in a network namespace that has the machines' networks and a guarded way out, like the
networks of containers; it goes with the lab.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nodriza.errors import LabError
from nodriza.lab import network, programs, state
from nodriza.lab import wiring as wires
from nodriza.lab.virtual import kvm

if TYPE_CHECKING:
    from nodriza.inventory.model import Cluster

URI = "qemu:///system"
PATIENCE = 30
OWN = Path("/run/nodriza/libvirtd")
"""Names the lab whose the daemon is: a computer has one socket for it."""


def answers() -> str:
    """Why the daemon does not answer; empty when it does."""
    try:
        programs.run(["virsh", "--connect", URI, "version"])
    except LabError as error:
        return error.what
    return ""


def is_ours_to_start() -> bool:
    """Whether nobody else could: no service manager, and we may."""
    return os.geteuid() == 0 and not Path("/run/systemd/system").exists()


def start_own(cluster: Cluster, place: state.Place) -> None:
    """Make the lab's namespace, and a daemon in it; what is there already stays."""
    owner = OWN.read_text() if OWN.exists() else ""
    if owner not in ("", cluster.name) and not answers():
        raise LabError(
            f"libvirt is at work for the lab {owner}, in a network of its own",
            kept="nothing was changed",
            do=f"take that lab down first: fab {owner} lab.down",
        )
    network.ensure(wires.without_networks(cluster), place)
    if OWN.exists() and not answers():
        return
    there = wires.namespace_file(wires.netns_of(cluster.name))
    OWN.parent.mkdir(parents=True, exist_ok=True)
    OWN.write_text(cluster.name)
    _let_machines_have_kvm()
    for program in ("virtlogd", "libvirtd"):
        pid = _pid(program)
        if pid and program == "libvirtd":  # of a lab whose network is gone
            _end(pid)
        if not pid or program == "libvirtd":
            programs.run(["nsenter", f"--net={there}", program, "--daemon"])
    until = time.monotonic() + PATIENCE
    while words := answers():
        if time.monotonic() > until:
            raise LabError(f"libvirtd was started and does not answer: {words}")
        time.sleep(0.2)


def stop_own(cluster: Cluster, place: state.Place) -> None:
    """The opposite; nothing happens where the daemon is not this lab's."""
    if not OWN.exists() or OWN.read_text() != cluster.name:
        return
    for program in ("libvirtd", "virtlogd"):
        if pid := _pid(program):
            _end(pid)
    OWN.unlink()
    network.remove(wires.traces(cluster, place), place)


def remove_leftovers(prefix: str, known: set[str], folder: Path) -> list[str]:
    """Domains and networks that a crash left and Vagrant has forgotten; their names.

    Only those that this Vagrantfile has made, which stands in their description.
    """
    gone = []
    for name in _virsh("list", "--all", "--name").split():
        about = _virsh("desc", name) if name.startswith(prefix) else ""
        if str(folder) in about and _virsh("domuuid", name).strip() not in known:
            programs.succeeds(["virsh", "--connect", URI, "destroy", name])
            _virsh("undefine", name, "--remove-all-storage", "--nvram")
            gone.append(name)
    if not any(name.startswith(prefix) for name in _virsh("list", "--all", "--name").split()):
        for name in _virsh("net-list", "--all", "--name").split():
            if name.startswith(prefix):
                programs.succeeds(["virsh", "--connect", URI, "net-destroy", name])
                _virsh("net-undefine", name)
                gone.append(name)
    return gone


def _let_machines_have_kvm() -> None:
    """As udev would, where there is udev.

    libvirt that finds a KVM which its machines' user can't open begins to doubt, and asks
    QEMU for seconds what it can do, at every single step.
    """
    if kvm.DEVICE.exists():
        shutil.chown(kvm.DEVICE, group="kvm")
        kvm.DEVICE.chmod(0o660)


def _virsh(*words: str) -> str:
    return programs.run(["virsh", "--connect", URI, *words])


def _pid(program: str) -> int:
    for file in _pid_files(program):
        pid = int(file.read_text().strip() or 0)
        name = Path(f"/proc/{pid}/comm")
        if name.exists() and name.read_text().strip() == program:
            return pid
    return 0


def _pid_files(program: str) -> Iterator[Path]:
    for folder in ("/run", "/run/libvirt", "/var/run"):
        file = Path(folder) / f"{program}.pid"
        if file.exists():
            yield file


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + PATIENCE
    while Path(f"/proc/{pid}").exists():
        if time.monotonic() > until:
            os.kill(pid, signal.SIGKILL)
            return
        time.sleep(0.1)
