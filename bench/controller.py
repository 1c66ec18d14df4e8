"""What is measured of the controller alone: its commands, its plans, its own ceiling.

For the ceiling a thousand nodes are a thousand real SSH sessions to four machines, whose
answers were recorded: a key with a forced command (sshd(8)) gives the answer that a real run
on that machine gave, after the time that a host needs to think. The hosts' own work is then
next to nothing, and what is left is the controller's.
"""

from __future__ import annotations

import json
import statistics
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from random import randbytes
from typing import Any

from bench.cluster import (
    FIRST,
    HOME,
    ROOT,
    Bench,
    environment,
    inside,
    inventory,
    say,
    write_inventory,
)
from bench.given import plan_for_floor, values_of
from bench.tools import NODRIZA, Took, measure
from nodriza.lab.containers import disk

CASES = ("list", "plan", "ceiling")
FAB = str(ROOT / ".venv/bin/fab")
NODES = (10, 1000, 10_000)
ROUNDS = 5
SESSIONS = 1000
MACHINES = 4
BLOB = b"\0\0\0\x0bssh-ed25519\0\0\0\x20"
"""What comes before the 32 bytes of a public key (RFC 8709)."""
SPLIT = """
import json, sys, time
began = time.perf_counter()
from nodriza.inventory import load_cluster
from nodriza.plan.plan import plan_all
imported = time.perf_counter()
cluster = load_cluster(sys.argv[1])
loaded = time.perf_counter()
plan_all(cluster, cluster.nodes)
print(json.dumps([imported - began, loaded - imported, time.perf_counter() - loaded]))
"""
ANSWER = """#!/bin/sh
# The answer of a run that was real, once there is one.
if [ ! -s /root/replay.answer ]; then
    sh -c "$SSH_ORIGINAL_COMMAND" >/root/replay.new && mv /root/replay.new /root/replay.answer
    exec cat /root/replay.answer
fi
cat >/dev/null &
sleep 0.2
exec cat /root/replay.answer
"""


def run(bench: Bench, case: str) -> dict[str, Any]:
    """The figures of one case, by their names."""
    cases: dict[str, Callable[[Bench], Any]] = {"list": _list, "plan": _plan, "ceiling": _ceiling}
    found = cases[case](bench)
    say(f"  {case}: {json.dumps(found)}")
    return {case: found}


def _list(_: Bench) -> list[dict[str, Any]]:
    return [_figures(measure([FAB, "--list"], env=environment())) for _ in range(ROUNDS)]


def _plan(_: Bench) -> dict[int, dict[str, Any]]:
    """Printed by ``fab plan``; and in one process, import, load, and plan with all templates."""
    found = {}
    for nodes in NODES:
        path = many(nodes, [f"198.18.87.{FIRST}"])
        rounds = 1 if nodes > 1000 else 3
        runs = [measure([FAB, path.stem, "plan"], env=environment()) for _ in range(rounds)]
        argv = [sys.executable, "-c", SPLIT, str(path)]
        splits = [json.loads(measure(argv, env=environment()).said) for _ in range(rounds)]
        found[nodes] = {
            "seconds": [round(took.seconds, 3) for took in runs],
            "cpu": [round(took.cpu, 3) for took in runs],
            "peak": max(took.peak for took in runs),
            **{
                name: round(statistics.median(split[index] for split in splits), 3)
                for index, name in enumerate(("import", "load", "plan"))
            },
        }
    return found


def _figures(took: Took) -> dict[str, Any]:
    return {"seconds": round(took.seconds, 3), "cpu": round(took.cpu, 3), "peak": took.peak}


def _ceiling(bench: Bench) -> dict[str, Any]:
    """A provision of all, and beside it the connections alone: that is the key exchange."""
    with _answers(bench) as (key, known_hosts):
        one = many(1, _machines(), key=key, known_hosts=known_hosts).stem
        all_ = many(SESSIONS, _machines(), key=key, known_hosts=known_hosts).stem
        found = {}
        for name, count in ((one, 1), (all_, SESSIONS)):
            plan = plan_for_floor(name)
            connect = [sys.executable, "-m", "bench.floor", "--connect", str(plan)]
            env = environment(PYTHONPATH=str(ROOT))
            found[f"connect {count}"] = _figures(measure([*inside(), *connect], env=env))
            took = NODRIZA.run(name, "")
            if NODRIZA.changed(took.said):
                raise RuntimeError(took.said[-3000:])
            found[f"provision {count}"] = _figures(took)
    each = {
        what: (found[f"{what} {SESSIONS}"]["cpu"] - found[f"{what} 1"]["cpu"]) / (SESSIONS - 1)
        for what in ("connect", "provision")
    }
    return {
        **found,
        "cpu_ms_a_host": round(1000 * each["provision"], 2),
        "cpu_ms_a_host_without_key_exchange": round(
            1000 * (each["provision"] - each["connect"]), 2
        ),
        "hosts_a_second": round(SESSIONS / found[f"provision {SESSIONS}"]["seconds"], 1),
    }


def _strangers() -> str:
    """Lines of known_hosts for as many hosts as there would be: each has to be passed over."""
    first = IPv4Address("10.0.0.0")
    keys = (b64encode(BLOB + randbytes(32)).decode() for _ in range(SESSIONS))
    return "".join(f"{first + at} ssh-ed25519 {key}\n" for at, key in enumerate(keys))


def _machines() -> list[str]:
    return [f"198.18.87.{FIRST + number}" for number in range(MACHINES)]


@contextmanager
def _answers(bench: Bench) -> Iterator[tuple[Path, Path]]:
    """Machines that give recorded answers to whoever has this key."""
    key = HOME / "replay"
    disk.make_key(key, "replay")
    names = [f"server-{number + 2}" for number in range(MACHINES)]
    line = f'command="/root/replay" {key.with_suffix(".pub").read_text().strip()}'
    try:
        for name in names:
            bench.on(
                name,
                f"cat >/root/replay <<'END'\n{ANSWER}END\n"
                "chmod 755 /root/replay; rm -f /root/replay.answer\n"
                f"echo '{line}' >>/root/.ssh/authorized_keys\n"
                "echo MaxStartups 1000 >/etc/ssh/sshd_config.d/20-replay.conf\n"
                "systemctl reload ssh\n",
            )
        known = HOME / "known_hosts.all"
        known.write_text(bench.place.known_hosts.read_text() + _strangers())
        data = inventory(MACHINES)
        data["ssh"] = {"key": str(key), "known_hosts": str(known)}
        write_inventory("record", data)
        values_of("record")
        NODRIZA.run("record", "")
        yield key, known
    finally:
        for name in names:
            bench.on(
                name,
                "sed -i '/replay/d' /root/.ssh/authorized_keys; rm -f /root/replay*"
                " /etc/ssh/sshd_config.d/20-replay.conf; systemctl reload ssh",
            )


def many(nodes: int, hosts: list[str], **ssh: Path) -> Path:
    """An inventory of a central node and many children, reached at ``hosts`` in turn."""
    data = inventory(1)
    data["networks"] = {"private": "10.0.0.0/16"}
    data["ssh"] = {name: str(path) for name, path in ssh.items()}
    data["nodes"] = {"server-1": {"kind": "central", "private": "10.0.0.1"}}
    first, share = 2, -(-nodes // len(hosts))
    for host in hosts:
        last = min(first + share - 1, nodes + 1)
        if first > last:
            break
        start = IPv4Address("10.0.0.0")
        data["nodes"][f"server-[{first}:{last}]"] = {
            "kind": "child",
            "private": f"[{start + first}:{start + last}]",
            "ssh": {"host": host},
        }
        first = last + 1
    write_inventory(f"many{nodes}", data)
    return HOME / f"inventories/many{nodes}.yml"
