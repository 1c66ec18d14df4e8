"""Killed at any instant, in any way: the next undisturbed run ends as without the accident.

``NODRIZA_CHAOS`` says how many accidents (a few in the suite, hundreds on request with
``make chaos``), ``NODRIZA_SEED`` repeats them.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nodriza.deploy import archive, release_id
from tests.lab.project import Project, wait_for
from tests.lab.test_4_killed import SEED, assert_converged, changed, finished
from tests.lab.visitor import get, serving

ACCIDENTS = int(os.environ.get("NODRIZA_CHAOS", "6"))
CENTRAL, CHILD = "server-1", "server-2"
LEFT = r"""
find / -xdev \( -name '*.nodriza-new' -o -name '*.nodriza-old' \); ls /var/lib/nodriza/owed
find /srv/videoteca -maxdepth 2 -name '*.nodriza-*'
"""


def agent_killed(project: Project, node: str, controller: object) -> None:
    """SIGKILL of what works on the host."""
    _kill(project.agent(node))


def line_broken(project: Project, node: str, controller: object) -> None:
    """SIGKILL of the sshd that the agent talks through."""
    agent = project.agent(node)
    if agent:
        with contextlib.suppress(OSError, ValueError):
            shell = _parent(agent)
            _kill(shell if "sshd" in _argv(shell) else _parent(shell))


def controller_killed(project: Project, node: str, controller: object) -> None:
    """SIGKILL of fab."""
    controller.kill()  # type: ignore[attr-defined]


def power_cut(project: Project, node: str, controller: object) -> None:
    """The machine is off, and a moment later on again."""
    project.power_cut(node)


Accident = Callable[[Project, str, object], None]
WAYS: list[Accident] = [agent_killed, line_broken, controller_killed, power_cut]


def _kill(pid: int | None) -> None:
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def _argv(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()


def _accident(project: Project, words: list[str], node: str, way: Accident, after: float) -> None:
    with project.start(*words) as process:
        with contextlib.suppress(AssertionError):  # it may be over before we see it
            wait_for("agent", 10, lambda: project.agent(node))
        time.sleep(after)
        way(project, node, process)
        with contextlib.suppress(Exception):
            finished(process)
    if way is power_cut:
        project.power_on(node)
    wait_for("end of the agent", 60, lambda: not project.agent(node))


@pytest.mark.parametrize("number", range(ACCIDENTS))
def test_accident_in_a_provision__leaves_no_trace_after_the_next_run(
    mended_at_the_end: Project, number: int
) -> None:
    chance = random.Random(f"{SEED} provision {number}")
    way, after = chance.choice(WAYS), chance.uniform(0, 4)
    print(f"NODRIZA_SEED={SEED}: {way.__name__} {after:.3f} s after the agent began")  # noqa: T201
    project, app = mended_at_the_end, changed(100 + number)
    project.write(**app)
    _accident(project, [f"provision:{CHILD}"], CHILD, way, after)
    project.fab(f"provision:{CHILD}").well()
    wait_for("answer of every child", 60, lambda: serving(project.cluster))
    assert_converged(project, app)
    assert project.fab(f"provision:{CHILD}", "--json").well().changed() == {}


@pytest.mark.parametrize("number", range(ACCIDENTS))
def test_accident_in_a_deploy__leaves_no_trace_after_the_next_one(
    mended_at_the_end: Project, number: int
) -> None:
    chance = random.Random(f"{SEED} deploy {number}")
    way, after = chance.choice(WAYS), chance.uniform(0, 10)
    print(f"NODRIZA_SEED={SEED}: {way.__name__} {after:.3f} s after the agent began")  # noqa: T201
    project = mended_at_the_end
    source = project.folder / "videoteca"
    (source / "chaos.txt").write_text(f"{SEED} {number}\n")
    _accident(project, ["deploy"], CENTRAL, way, after)
    wait_for("answer of every child", 90, lambda: serving(project.cluster))
    project.fab("deploy").well()
    release = release_id(archive(source))
    cluster = project.cluster
    for child in cluster.children:

        def serves(address: str = child.web_address) -> bool:
            return release in get(address, "/whoami", cluster.domain)[2]

        wait_for(f"release on {child.name}", 60, serves)
    assert project.on(CENTRAL, LEFT) == ""
    assert project.fab("deploy", "--json").well().changed() == {}
