"""fab lab.up, lab.down, lab.status, lab.ssh, lab.box, lab.machines"""

from __future__ import annotations

import os
from typing import Annotated

from invoke import Context

from .kinds import Nodes, OneOf
from .output import say
from .session import command, current_cluster


@command(local=True, help={"driver": "nspawn or vagrant, if not as the inventory says"})
def up(c: Context, driver: Annotated[str, OneOf("nspawn", "vagrant")] = "") -> None:
    """Start the inventory's nodes as real machines on this computer."""
    from nodriza import lab

    lab.up(current_cluster(c), say=say, driver=driver)


@command(local=True)
def down(c: Context) -> None:
    """Remove the lab's machines and its network."""
    from nodriza import lab

    lab.down(current_cluster(c), say=say)


@command(reads=True)
def status(c: Context) -> None:
    """List the lab's machines."""
    from nodriza import lab

    for machine in lab.status(current_cluster(c)):
        since = f" since {machine.since:%Y-%m-%d %H:%M:%S} UTC" if machine.since else ""
        since = f"up{since}" if machine.running else "off"
        print(f"{machine.name:<12} {', '.join(machine.addresses):<28} {since}")


@command(local=True, subject="target", interactive=True, help={"target": "the machine's name"})
def ssh(c: Context, target: Nodes) -> None:
    """Open a shell on a machine of the lab."""
    from nodriza import lab
    from nodriza.inventory import resolve_target

    cluster = current_cluster(c)
    (found,) = resolve_target(cluster, target)[:1]
    argv = lab.ssh_argv(cluster, found.name)
    os.execvp(argv[0], argv)  # noqa: S606  the shell takes this process's place


@command(
    local=True, help={"installed": "not in apt's cache, but installed, with their services off"}
)
def box(c: Context, installed: bool = False) -> None:
    """Build a Vagrant box of bare Debian, with the packages of the nodes in apt's cache."""
    from nodriza.lab.virtual import box

    box.build(current_cluster(c), say, installed=installed)


@command(reads=True)
def machines(c: Context) -> None:
    """Print the machines of the inventory as JSON: what the Vagrantfile reads."""
    import json

    from nodriza.lab.virtual import lab as virtual

    print(json.dumps(virtual.machines(current_cluster(c))))
