"""The machines' disks: bare ones to begin again with, and copies where many are needed.

What a machine writes is the upper layer of an overlay, so a disk is a folder; it is copied
while its machine is off.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.cluster import HOME, Bench, say, side_by_side
from nodriza import lab
from nodriza.lab.containers import disk
from nodriza.plan.plan import plan_all
from nodriza.resources import Package

BARE = HOME / "bare"
PROVISIONED = HOME / "provisioned"
FEW = 4
"""Children that are provisioned from bare disks, and can be again; more are copies."""
OWN = (disk.HOST_KEY, f"{disk.HOST_KEY}.pub", "etc/machine-id", "etc/hostname")
"""What a copy keeps of the machine that it is for."""
DOWNLOAD = """
export DEBIAN_FRONTEND=noninteractive
apt-get -q update >/dev/null
apt-get -qy --no-install-recommends install python3-apt >/dev/null
apt-get -qy --no-install-recommends --download-only install {} >/dev/null
sync
"""
"""Ansible's module for apt needs python3-apt; what it gets by itself, Mitogen does not see."""


def keep_bare(bench: Bench) -> None:
    """Keep the disks of new machines, with all downloaded that the roles will install."""
    few = (bench.cluster.builder, *bench.cluster.children[:FEW])
    names = [node.name for node in few if not (BARE / node.name).exists()]
    if not names:
        return
    say(f"downloading packages on {len(names)} machines")
    side_by_side(lambda name: bench.on(name, DOWNLOAD.format(packages(bench, name))), names, 4)
    _off(bench, names)
    for name in names:
        _copy(bench.machine(name).upper, BARE / name)
    _on(bench, names)


def mend(bench: Bench) -> None:
    """A run that was killed may have left machines without a disk."""
    machines = (bench.machine(path.name) for path in bench.place.machines.glob("*"))
    for machine in machines:
        if not machine.upper.exists():
            machine.power_cut()
            if (BARE / machine.name).exists():
                _insert(bench, machine.name, BARE / machine.name)
            else:  # the lab makes it anew, and it gets its copy again
                (machine.folder / "image").unlink(missing_ok=True)
                forget_copies()


def packages(bench: Bench, name: str) -> str:
    """The names of the packages that the roles install on a node."""
    (plan,) = plan_all(bench.cluster, [bench.cluster.node(name)])
    resources = [planned.resource for planned in plan.resources]
    return " ".join(each.name for each in resources if isinstance(each, Package))


def reset(bench: Bench, names: Iterable[str]) -> None:
    """Off, the bare disk, on: packages downloaded, none installed."""
    names = list(names)
    _off(bench, names)
    for name in names:
        _insert(bench, name, BARE / name)
    _on(bench, names)


def copy_first(bench: Bench) -> None:
    """Give the children beyond the first few the disk of the first, with their own identity."""
    done = PROVISIONED / "copies"
    had = done.read_text().split() if done.exists() else []
    names = [node.name for node in bench.cluster.children[FEW:] if node.name not in had]
    if not names:
        return
    first = bench.cluster.children[0].name
    say(f"{len(names)} machines begin with the disk of {first}")
    _off(bench, [first, *names])
    _copy(bench.machine(first).upper, PROVISIONED / "disk")
    for name in names:
        upper = bench.machine(name).upper
        own = {path: (upper / path).read_bytes() for path in OWN}
        _insert(bench, name, PROVISIONED / "disk")
        for path, content in own.items():
            (upper / path).write_bytes(content)
    _on(bench, [first, *names])
    done.write_text(" ".join([*had, *names]))


def forget_copies() -> None:
    """They are made anew: what they were made from is no more."""
    shutil.rmtree(PROVISIONED, ignore_errors=True)


def there() -> int:
    """How many children there are from a run before this one."""
    done = PROVISIONED / "copies"
    return FEW + len(done.read_text().split()) if done.exists() else 0


def _off(bench: Bench, names: Sequence[str]) -> None:
    # Asked first, so that nothing is half on the disk.
    side_by_side(lambda name: bench.on(name, "sync"), names)
    for name in names:
        bench.machine(name).power_cut()


def _on(bench: Bench, names: Sequence[str]) -> None:
    side_by_side(lambda name: lab.start(bench.cluster, name), names)


def _insert(bench: Bench, name: str, kept: Path) -> None:
    folder = bench.machine(name).folder
    for part in ("upper", "work"):
        shutil.rmtree(folder / f"{part}.old", ignore_errors=True)
        if (folder / part).exists():  # at once: half a disk would look like one
            (folder / part).rename(folder / f"{part}.old")
        shutil.rmtree(folder / f"{part}.old", ignore_errors=True)
    (folder / "work").mkdir()
    _copy(kept, folder / "upper")


def _copy(old: Path, new: Path) -> None:
    """Whole; overlayfs keeps its marks in extended attributes."""
    new.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = new.with_name(f"{new.name}.part")
    for path in (part, new):
        shutil.rmtree(path, ignore_errors=True)
    subprocess.run(["cp", "-a", "--reflink=auto", str(old), str(part)], check=True)
    part.rename(new)
