"""Machines as systemd-nspawn containers: Debian with its own systemd, sshd and disk.

A machine is one cgroup. In it a small shell loop starts the machine again when it
asks for a reboot (exit 133), and dies with it otherwise. Each boot gets new mount
and network namespaces that end with its last process, so a machine that is gone
leaves nothing behind, and one that is off answers nobody, like one without power.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from nodriza.errors import LabError
from nodriza.lab import programs, state
from nodriza.lab.containers import disk

if TYPE_CHECKING:
    from nodriza.inventory.model import Node
    from nodriza.lab.wiring import Wiring

NONE: Mapping[str, str] = {}
NSPAWN_RUN = Path("/run/systemd/nspawn/propagate")
SHORT = {"private": "priv", "public": "pub"}
LOOP = """
cd "$1"
while :; do
    setpriv --pdeathsig KILL unshare --mount --net --propagation private sh ./boot.sh
    [ $? -eq 133 ] || exit 0
done
"""
START = """
set -e
echo $$ > "$2/cgroup.procs"
exec setsid --fork /bin/sh -c "$3" nodriza-lab "$1"
"""
"""Returns when the loop runs, in the machine's cgroup and as nobody's child."""
BOOT = """\
#!/bin/sh
set -eu
mount -t overlay overlay -o lowerdir={image},upperdir=upper,workdir=work root
{links}
ip link set lo up
date +%s > started.new && mv started.new started
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
export SYSTEMD_NSPAWN_LOCK=0  # its locks stay in /run for ever; the cgroup is the lock
exec systemd-nspawn --quiet --boot --register=no --keep-unit \\
    --machine={unique} --hostname={name} --directory=root \\
    --network-namespace-path=/proc/$$/ns/net \\
    --capability=CAP_NET_ADMIN,CAP_NET_RAW --bind=/dev/fuse {autofs} {folders}\\
    --resolv-conf=off --timezone=off --link-journal=no --console=read-only
"""


class Machine:
    """One node of the lab as a container."""

    def __init__(self, place: state.Place, name: str) -> None:
        self.place = place
        self.name = name
        self.folder = place.machine(name)

    @property
    def cgroup(self) -> Path:
        """Holds every process of the machine; kills them all at one word."""
        return cgroup_of(self.place.cluster) / self.name

    @property
    def unique(self) -> str:
        """Its name among all labs, for what nspawn keeps in /run."""
        text = f"nodriza-{self.place.cluster}-{self.name}"
        if len(text) <= 63:
            return text
        return f"{text[:54]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    @property
    def running(self) -> bool:
        """Whether the loop lives; without it the rest of a machine is a wreck."""
        return bool(_read(self.cgroup / "cgroup.procs").strip())

    @property
    def alive(self) -> bool:
        """Whether any process of the machine lives."""
        return "populated 1" in _read(self.cgroup / "cgroup.events")

    @property
    def booted(self) -> int:
        """Differs after each boot."""
        try:
            return (self.folder / "started").stat().st_ino
        except OSError:
            return 0

    @property
    def since(self) -> datetime | None:
        """When the machine was last switched on or rebooted."""
        try:
            return datetime.fromtimestamp(int((self.folder / "started").read_text()), timezone.utc)
        except (OSError, ValueError):
            return None

    @property
    def image(self) -> Path | None:
        """The base image below the machine's disk."""
        try:
            return Path((self.folder / "image").read_text().strip())
        except OSError:
            return None

    @property
    def upper(self) -> Path:
        """What the machine has written over its image; changed only while it is off."""
        return self.folder / "upper"

    @property
    def host_key(self) -> str:
        """Its public host key: type and data."""
        return disk.host_key(self.upper)

    def make(
        self, node: Node, image: Path, wiring: Wiring, folders: Mapping[str, str] = NONE
    ) -> bool:
        """Put the machine's disk and its wiring in place; whether the wiring is new.

        ``folders``: what it can read of this computer, the path there to the path here.
        """
        if not (self.folder / "image").exists():
            self.remove()
            for name in ("upper", "work", "root"):
                (self.folder / name).mkdir(parents=True, exist_ok=True)
            disk.seed(self.upper, node.name, self.place.key.with_suffix(".pub").read_text())
            disk.lend_packages(self.upper, image)
            state.write(self.folder / "image", f"{image}\n")
        script = _boot_script(self, node, self.image or image, wiring, folders)
        boot = self.folder / "boot.sh"
        if boot.exists() and boot.read_text() == script:
            return False
        state.write(boot, script)
        return True

    def start(self) -> None:
        """Switch on; nothing happens to a machine that runs."""
        if self.running:
            return
        if not (self.folder / "boot.sh").exists():
            raise LabError(f"the lab has no machine {self.name}", do="fab lab.up")
        self.power_cut()
        self.cgroup.mkdir(parents=True, exist_ok=True)
        disk.write_inside(self.upper, "etc/resolv.conf", disk.resolvers())
        with (self.folder / "console.log").open("ab") as console:
            subprocess.run(
                ["/bin/sh", "-c", START, "start", str(self.folder), str(self.cgroup), LOOP],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={"PATH": programs.PATH, "LC_ALL": "C.UTF-8"},
                cwd="/",
                timeout=10,
                check=True,
            )

    def power_cut(self, *, seconds: float = 10) -> None:
        """Kill every process at once, as a power cut does."""
        if not self.cgroup.exists():
            return
        (self.cgroup / "cgroup.kill").write_text("1")
        until = time.monotonic() + seconds
        while self.alive:
            if time.monotonic() > until:
                raise LabError(
                    f"{self.name}: processes of the machine do not die",
                    where=str(self.cgroup),
                    do="fab lab.down, and a restart of this computer if that fails too",
                )
            time.sleep(0.01)

    def remove(self) -> None:
        """Switch off and forget, the disk too."""
        self.power_cut()
        remove_cgroup(self.cgroup)
        shutil.rmtree(NSPAWN_RUN / self.unique, ignore_errors=True)
        if self.image:
            disk.keep_packages(self.upper, self.image)
        shutil.rmtree(self.folder, ignore_errors=True)

    def last_words(self, lines: int = 12) -> str:
        """The end of the console's log."""
        try:
            text = (self.folder / "console.log").read_text(errors="replace")
        except OSError:
            return "(the console said nothing)"
        said = [line.strip() for line in text.splitlines() if line.strip()]
        return "\n".join(f"    {line}" for line in said[-lines:])


def links_of(node: Node, wiring: Wiring) -> dict[str, str]:
    """For each network the machine is on: the name of its far end in the lab's namespace."""
    names = {}
    for network in wiring.networks:
        if getattr(node, network.name):
            name = f"{SHORT[network.name]}-{node.name}"
            if len(name) > 15:  # IFNAMSIZ
                name = name[:9] + "-" + hashlib.sha256(name.encode()).hexdigest()[:5]
            names[network.name] = name
    return names


def answers(machine: Machine, address: str, seconds: float) -> bool:
    """Whether sshd greets within ``seconds``; call it inside the namespace.

    The wait ends early when the machine does.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            with socket.create_connection((address, 22), timeout=0.25) as sock:
                sock.settimeout(2)
                if sock.recv(4) == b"SSH-":
                    return True
        except OSError:
            pass
        if time.monotonic() > until or not machine.running:
            return False
        time.sleep(0.05)


def cgroup_of(cluster: str) -> Path:
    """The cgroup of a lab."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, path, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(path) / "nodriza" / cluster
    raise LabError("this computer has no cgroup2, which lab machines need")


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def remove_cgroup(cgroup: Path) -> None:
    """Take away an empty cgroup and those below it."""
    until = time.monotonic() + 5
    while cgroup.exists():
        try:
            for folder, _, _ in os.walk(cgroup, topdown=False):
                Path(folder).rmdir()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def machines(place: state.Place) -> list[Machine]:
    """Every machine that has a disk or a process."""
    cgroup = cgroup_of(place.cluster)
    folders = [place.machines, cgroup]
    names = {path.name for folder in folders for path in folder.glob("*") if path.is_dir()}
    return [Machine(place, name) for name in sorted(names)]


def _boot_script(
    machine: Machine, node: Node, image: Path, wiring: Wiring, folders: Mapping[str, str]
) -> str:
    lines = []
    # Like most servers with two networks: the way to the world is the public one.
    way_out = "public" if node.public and wiring.networks[-1].name == "public" else "private"
    far_ends = links_of(node, wiring)
    for network in wiring.networks:
        if network.name not in far_ends:
            continue
        far, near = far_ends[network.name], f"{SHORT[network.name]}0"
        lab = f"ip -n {wiring.netns}"
        lines += [
            f"{lab} link del {far} 2>/dev/null || true",
            f"{lab} link add {far} type veth peer name {near} address {_mac(near, node)} netns $$",
            f"{lab} link set {far} master {network.bridge} up",
            f"ip addr add {getattr(node, network.name)}/{network.length} dev {near}",
            f"ip link set {near} up",
        ]
        if network.name == way_out:
            lines.append(f"ip route add default via {network.gateway}")
    autofs = "--bind=/dev/autofs" if Path("/dev/autofs").exists() else ""
    return BOOT.format(
        image=shlex.quote(str(image)),
        name=node.name,
        unique=machine.unique,
        links="\n".join(lines),
        autofs=autofs,
        folders="".join(f"--bind-ro={here}:{there} " for there, here in folders.items()),
    )


def _mac(interface: str, node: Node) -> str:
    # The same one after each boot, as on real hardware: neighbours remember it.
    digest = hashlib.sha256(f"{interface} {node.name}".encode()).digest()
    return "02:" + ":".join(f"{byte:02x}" for byte in digest[:5])
