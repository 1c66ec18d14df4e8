"""The tools that are measured, and what each of them is given.

All get the same hosts, the same key, the same pinned host keys and the same rendered files,
and settings that their own documentation recommends for speed.
"""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cluster import HOME, ROOT, environment, inside

PEERS = ROOT / "bench/peers"
VENV = ROOT / "bench/.venv"
BIN = VENV / "bin"


@dataclass(frozen=True)
class Took:
    """One run: seconds on the clock, seconds of the controller's processor, KiB at its peak.

    ``load`` is what the machine had to do before.
    """

    seconds: float
    cpu: float
    peak: int
    load: float
    said: str


@dataclass(frozen=True)
class Tool:
    """How one tool is told to bring the hosts of an inventory to a variant."""

    name: str
    argv: Callable[[str, str], Sequence[str]]
    """Of an inventory's name and a variant."""
    changed: Callable[[str], int]
    """How many changes it says that it made."""
    env: tuple[tuple[str, str], ...] = ()

    def run(self, name: str, variant: str, *, timeout: float = 900) -> Took:
        """Once, as typed; raises ``RuntimeError`` with the tool's words when it fails."""
        with tempfile.TemporaryDirectory() as sockets:
            env = environment(**dict(self.env), ANSIBLE_SSH_CONTROL_PATH_DIR=sockets)
            try:
                return measure([*inside(), *self.argv(name, variant)], env=env, timeout=timeout)
            finally:
                _hang_up(Path(sockets))


def measure(
    argv: Sequence[str], *, env: dict[str, str], timeout: float = 900, cwd: Path = HOME
) -> Took:
    """Run a command to its end. Its processor time has that of the processes it waited for."""
    with tempfile.TemporaryFile() as out:
        load = round(os.getloadavg()[0], 1)
        began = time.monotonic()
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        try:
            usage, peak = _wait(process, began + timeout)
        finally:  # what it left behind, and all of it after a Ctrl-C
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        seconds = time.monotonic() - began
        out.seek(0)
        said = out.read().decode("utf-8", "replace")
    if process.returncode:
        words = said if len(said) < 8000 else f"{said[:4000]}\n[…]\n{said[-4000:]}"
        raise RuntimeError(f"{' '.join(argv)}: exit {process.returncode}\n{words}")
    return Took(seconds, usage.ru_utime + usage.ru_stime, peak, load, said)


def _wait(process: subprocess.Popen[bytes], until: float) -> tuple[Any, int]:
    """What it used, and its peak: wait4(2)'s own begins with that of the process that forked."""
    peak = 0
    pidfd = os.pidfd_open(process.pid)
    try:
        while not select.select([pidfd], [], [], 0.05)[0]:
            peak = max(peak, _high_water(process.pid))
            if time.monotonic() > until:
                process.kill()
    finally:
        os.close(pidfd)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage, peak


def _high_water(pid: int) -> int:
    """proc_pid_status(5)"""
    try:
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(found.group(1)) if found else 0


def _hang_up(sockets: Path) -> None:
    """Each run makes its own connections: those that Ansible keeps for the next one go."""
    for socket in sockets.iterdir():
        argv = ["ssh", "-O", "exit", "-o", f"ControlPath={socket}", "nobody"]
        subprocess.run(argv, capture_output=True, check=False)


def _sum(pattern: str) -> Callable[[str], int]:
    return lambda said: sum(int(number) for number in re.findall(pattern, said))


def _files(variant: str) -> str:
    return str(HOME / "peers" / variant)


def _playbook(name: str, variant: str) -> list[str]:
    inventory = str(HOME / f"peers/{name}.ini")
    play = str(PEERS / "child.yml")
    return [str(BIN / "ansible-playbook"), "-i", inventory, "-e", f"files={_files(variant)}", play]


def _floor_argv(name: str, variant: str) -> list[str]:
    return [sys.executable, "-m", "bench.floor", str(HOME / f"peers/{name}.{variant}.json")]


ANSIBLE = (("ANSIBLE_CONFIG", str(PEERS / "ansible.cfg")),)
MITOGEN = (
    ("ANSIBLE_STRATEGY", "mitogen_linear"),
    (
        "ANSIBLE_STRATEGY_PLUGINS",
        str(
            next(VENV.glob("lib/python3*/site-packages"), VENV)
            / "ansible_mitogen/plugins/strategy"
        ),
    ),
)
FLOOR = Tool("floor", _floor_argv, lambda _: 0, (("PYTHONPATH", str(ROOT)),))
NODRIZA = Tool(
    "nodriza",
    lambda name, _: [str(ROOT / ".venv/bin/fab"), name, "provision:server-n"],
    _sum(r"(\d+) resources? changed"),
)
PYINFRA = Tool(
    "pyinfra",
    lambda name, variant: [
        str(BIN / "pyinfra"),
        "-y",
        "--data",
        f"files={_files(variant)}",
        str(HOME / f"peers/{name}.py"),
        str(PEERS / "child.py"),
    ],
    # Hosts, success, error, no change; a dash is none.
    _sum(r"Grand total +\S+ +(\d+)"),
)
TOOLS = (
    FLOOR,
    NODRIZA,
    PYINFRA,
    Tool("mitogen", _playbook, _sum(r"changed=(\d+)"), (*ANSIBLE, *MITOGEN)),
    Tool("ansible", _playbook, _sum(r"changed=(\d+)"), ANSIBLE),
)
