"""A first provision of three bare machines, beside what apt-get alone takes for their packages.

Every package is downloaded already, for both.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from bench import disks
from bench.cluster import ROOT, Bench, environment, inside, say
from bench.tools import measure

ROUNDS = 2
NODES = ("server-1", "server-2", "server-3")


def run(bench: Bench) -> dict[str, list[float]]:
    """Seconds: ``provision`` of all three, ``apt`` of the slowest while all three install."""
    name = bench.inventory(2, 0)
    found: dict[str, list[float]] = {"provision": [], "apt": [], "apt_alone": []}
    for _ in range(ROUNDS):
        disks.reset(bench, NODES)
        argv = [*inside(), str(ROOT / ".venv/bin/fab"), name, "provision"]
        found["provision"].append(round(measure(argv, env=environment()).seconds, 2))
        disks.reset(bench, NODES)
        with ThreadPoolExecutor() as pool:
            times = list(pool.map(lambda node: _apt(bench, node), NODES))
        found["apt"].append(round(max(times), 2))
        disks.reset(bench, NODES)
        found["apt_alone"].append(round(max(_apt(bench, node) for node in NODES), 2))
        say(f"  first: { ({key: values[-1] for key, values in found.items()}) }")
    disks.reset(bench, [node.name for node in bench.cluster.nodes])
    disks.forget_copies()
    return found


def _apt(bench: Bench, node: str) -> float:
    began = time.monotonic()
    bench.on(
        node,
        "export DEBIAN_FRONTEND=noninteractive SYSTEMD_OFFLINE=1;"
        f" apt-get -qy --no-install-recommends install {disks.packages(bench, node)} >/dev/null",
    )
    return time.monotonic() - began
