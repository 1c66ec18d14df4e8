"""The floor: the least that a check of all hosts can cost over SSH with Paramiko.

One connection and one channel a host, and on it one Python process that looks at everything
(``floor_host``). What shall be is computed beforehand, from this project's own plans, and lies
in a file: the floor plans and renders nothing.

::

    python -m bench.floor PLAN.json            what is not as planned; exit 1 when something is
    python -m bench.floor --connect PLAN.json  only the connections: what the key exchange costs
"""

from __future__ import annotations

import ast
import json
import shlex
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import paramiko

SCRIPT = (Path(__file__).parent / "floor_host.py").read_text()
START = "import sys, zlib; exec(zlib.decompress(sys.stdin.buffer.read(%d)))"
WIDTH = 32
"""Hosts at a time, as many as this project's default."""


def check(host: dict[str, Any], known: paramiko.HostKeys, *, connect_only: bool) -> list[Any]:
    """What is not as planned on one host."""
    client = paramiko.SSHClient()
    for kind, key in (known.lookup(host["address"]) or {}).items():
        client.get_host_keys().add(host["address"], kind, key)
    client.connect(
        host["address"],
        username="root",
        key_filename=host["key"],
        look_for_keys=False,
        allow_agent=False,
    )
    with client:
        if connect_only:
            return []
        transport = client.get_transport()
        assert transport is not None
        channel = transport.open_session()
        call = f"print(main({host['checks']!r}))\n"
        packed = zlib.compress(f"{SCRIPT}\n{call}".encode())
        channel.exec_command(f"python3 -I -S -B -c {shlex.quote(START % len(packed))}")
        channel.sendall(packed)
        answer = b""
        while data := channel.recv(65536):
            answer += data
        if channel.recv_exit_status():
            raise RuntimeError(channel.recv_stderr(65536).decode())
        found: list[Any] = ast.literal_eval(answer.decode())
        return found


def main(plan: Path, *, connect_only: bool) -> int:
    """Every host of the plan, side by side."""
    data = json.loads(plan.read_text())
    known = paramiko.HostKeys(data["known_hosts"])
    with ThreadPoolExecutor(WIDTH) as pool:
        answers = pool.map(lambda h: check(h, known, connect_only=connect_only), data["hosts"])
        wrong = [
            [host["name"], *each]
            for host, a in zip(data["hosts"], answers, strict=True)
            for each in a
        ]
    for each in wrong:
        sys.stdout.write(json.dumps(each) + "\n")
    sys.stdout.write(f"{len(data['hosts'])} hosts, {len(wrong)} gaps\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[-1]), connect_only="--connect" in sys.argv))
