"""The machines that everything is measured on: a lab of this project, and its disks.

::

    /var/lib/nodriza/bench/
        fabfile.py inventories/ templates/    an operator's folder, as `nodriza init` makes it
        age.key home/                         nobody else's keys and settings take part
        bare/server-2/                        a disk as it was before the first run
        provisioned/                          the first child's disk, which others begin with
        peers/                                what the other tools are given

The same machines have several inventories: ``all`` is all of them; ``n4`` is the central
node and four children, ``n4-rtt50`` the same behind the delaying proxy. Those are written as
for real hosts, so that each tool finds its way in the same manner.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from nodriza import lab
from nodriza.inventory import Cluster, load_cluster
from nodriza.lab import state
from nodriza.lab.containers import nspawn
from nodriza.lab.wiring import namespace_file, netns_of

ROOT = Path(__file__).parents[1]
HOME = Path("/var/lib/nodriza/bench")
NAME = "bench"
FIRST = 12
"""The last number of the first child's address."""
TEMPLATE = "nginx/headers.j2"
"""The template that the case ``change`` changes on every host; nginx is reloaded then."""
VARIANTS = ("A", "B")


@dataclass(frozen=True)
class Bench:
    """A lab with ``hosts`` children, and everything around it."""

    hosts: int

    def up(self) -> None:
        """The operator's folder, and all machines on; those that are new are bare."""
        for folder in ("inventories", "templates/nginx", "home", "peers"):
            (HOME / folder).mkdir(parents=True, exist_ok=True)
        HOME.chmod(0o700)
        (HOME / "fabfile.py").write_text("from nodriza.fabfile import ns  # noqa: F401\n")
        self.choose(VARIANTS[0])
        write_inventory("all", inventory(self.hosts, lab={"release": "bookworm"}))
        lab.up(self.cluster, say=say)
        self.__dict__.pop("cluster")  # it had not got the overlay
        self._pin_proxies()

    def choose(self, variant: str) -> None:
        """Which variant of the changing template this project's runs ask for."""
        shipped = (ROOT / "templates" / TEMPLATE).read_text()
        (HOME / "templates" / TEMPLATE).write_text(f"{shipped}# variant {variant}\n")

    @cached_property
    def cluster(self) -> Cluster:
        """The lab's own inventory."""
        return load_cluster(HOME / "inventories/all.yml")

    @property
    def place(self) -> state.Place:
        """Where the lab's keys and disks are."""
        return state.Place(NAME)

    def down(self) -> None:
        """Nothing is left but the package cache."""
        if (HOME / "inventories/all.yml").exists():
            lab.down(self.cluster, say=say)
        shutil.rmtree(HOME, ignore_errors=True)

    def inventory(self, hosts: int, rtt: int) -> str:
        """The name of the inventory of ``hosts`` children with a round trip of ``rtt`` ms."""
        name = f"n{hosts}" + (f"-rtt{rtt}" if rtt else "")
        data = inventory(hosts, far=bool(rtt))
        known = HOME / "known_hosts" if rtt else self.place.known_hosts
        data["ssh"] = {"key": str(self.place.key), "known_hosts": str(known)}
        write_inventory(name, data)
        return name

    def provision(self) -> None:
        """Everything as the roles ask for, by this project."""
        fab("all", "provision", timeout=3600)

    def machine(self, name: str) -> nspawn.Machine:
        """One of the lab's machines."""
        return nspawn.Machine(self.place, name)

    def on(self, name: str, script: str, *, timeout: float = 600) -> str:
        """What a shell script wrote that ran on a machine as root."""
        argv = [*lab.ssh_argv(self.cluster, name), "sh -s"]
        done = subprocess.run(
            argv, input=script, capture_output=True, text=True, timeout=timeout, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{name}: {script}\n{done.stdout}{done.stderr}")
        return done.stdout

    def _pin_proxies(self) -> None:
        """The machines' keys under the addresses that the proxy has for them."""
        lines = [
            f"{far(node.private)} {nspawn.Machine(self.place, node.name).host_key}\n"
            for node in self.cluster.nodes
        ]
        (HOME / "known_hosts").write_text("".join(lines))


def inventory(hosts: int, *, far: bool = False, **more: Any) -> dict[str, Any]:
    """An inventory of a central node and ``hosts`` children."""
    last = FIRST + hosts - 1
    span = f"[{FIRST}:{last}]" if hosts > 1 else str(FIRST)
    child: dict[str, Any] = {
        "kind": "child",
        "private": f"198.18.87.{span}",
        "public": f"198.18.88.{span}",
    }
    if far:
        child["ssh"] = {"host": f"127.0.87.{span}"}
    name = f"server-[2:{hosts + 1}]" if hosts > 1 else "server-2"
    return {
        "cluster": NAME,
        "domain": "bench.test",
        "networks": {"private": "198.18.87.0/24", "public": "198.18.88.0/24"},
        "app": {
            "name": "videoteca",
            "source": str(ROOT / "examples/videoteca"),
            "wsgi": "videoteca.wsgi",
            "settings": "videoteca.settings",
            "celery": "videoteca",
        },
        # The peers' tasks are written for this one; every kernel with FUSE has it.
        "share": {"engine": "glusterfs"},
        "nodes": {
            "server-1": {"kind": "central", "private": "198.18.87.11", "public": "198.18.88.11"},
            name: child,
        },
        **more,
    }


def far(address: str) -> str:
    """Where the proxy in the lab's namespace listens for a machine."""
    return address.replace("198.18.", "127.0.")


def write_inventory(name: str, data: dict[str, Any]) -> None:
    """Into the operator's folder."""
    (HOME / f"inventories/{name}.yml").write_text(yaml.safe_dump(data, sort_keys=False))


def environment(**more: str) -> dict[str, str]:
    """For every tool: nothing of whoever runs this."""
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(HOME / "home"),
        "NODRIZA_AGE_KEY_FILE": str(HOME / "age.key"),
        **more,
    }


def inside() -> list[str]:
    """What a command begins with that runs in the lab's network."""
    return ["nsenter", f"--net={namespace_file(netns_of(NAME))}"]


def fab(*words: str, timeout: float = 600) -> str:
    """Type a command of this project; not measured."""
    argv = [str(ROOT / ".venv/bin/fab"), *words]
    done = subprocess.run(
        argv,
        cwd=HOME,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"fab {' '.join(words)}\n{done.stdout}{done.stderr}")
    return done.stdout


def say(words: str) -> None:
    """To whoever waits."""
    print(words, flush=True)


def side_by_side(work: Callable[[str], Any], items: Sequence[str], width: int = 16) -> None:
    """The work for each item, ``width`` at a time; the first error is raised."""
    with ThreadPoolExecutor(width) as pool:
        list(pool.map(work, items))
