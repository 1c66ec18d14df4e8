"""What can end a run from outside, or hold it up.

Each accident gets the project, the node that it happens to, and the controller's process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.lab.project import Project

FREEZE = 8  # seconds


def agent_killed(project: Project, node: str, controller: subprocess.Popen[str]) -> None:
    """SIGKILL of what works on the host."""
    _kill(project.agent(node))


def line_broken(project: Project, node: str, controller: subprocess.Popen[str]) -> None:
    """SIGKILL of the sshd that the agent talks through."""
    agent = project.agent(node)
    if agent:
        with contextlib.suppress(OSError, ValueError):
            sshd = int(Path(f"/proc/{agent}/stat").read_text().rsplit(")", 1)[1].split()[1])
            assert "sshd" in Path(f"/proc/{sshd}/cmdline").read_text()
            _kill(sshd)


def controller_killed(project: Project, node: str, controller: subprocess.Popen[str]) -> None:
    """SIGKILL of fab."""
    controller.kill()


def power_cut(project: Project, node: str, controller: subprocess.Popen[str]) -> None:
    """The machine is off, and a moment later on again."""
    project.power_cut(node)
    project.power_on(node)


def frozen(project: Project, node: str, controller: subprocess.Popen[str]) -> None:
    """The machine stands still for a while, as a virtual one does that is moved or saved."""
    with project.frozen(node):
        time.sleep(FREEZE)


Way = Callable[[Project, str, "subprocess.Popen[str]"], None]
WAYS: list[Way] = [agent_killed, line_broken, controller_killed, power_cut, frozen]


def _kill(pid: int | None) -> None:
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
