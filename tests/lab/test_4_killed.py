"""Killed at any instant: the next run finds what was due, and does it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from functools import partial
from typing import Any

import pytest

from tests.lab.project import Project, Result, wait_for
from tests.lab.reading import unread
from tests.lab.visitor import get, serving, upload_is_refused

CHILDREN = ("server-2", "server-3")
NODE = CHILDREN[0]
KILLS = 12
SEED = int(os.environ.get("NODRIZA_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
"""Where in each twelfth of a run the kill falls; the environment's ``NODRIZA_SEED`` repeats it."""
MB = 1024 * 1024

RUNNING = """
echo left: $(find / -xdev -name '*.nodriza-new' -o -xdev -name '*.nodriza-old')
echo owed: $(ls /var/lib/nodriza/owed)
echo threads on disk: $(sed -n 's/^threads = //p' /etc/uwsgi/videoteca.ini)
echo threads running: $(uwsgi-core --connect-and-read /run/uwsgi/videoteca.stats.sock 2>&1 \
    | python3 -c 'import json, sys; text = sys.stdin.read(); print(sum(
    len(worker["cores"]) for worker in json.loads(text[text.index("{"):])["workers"]))')
echo upload on disk: $(sed -n 's/^MAX_UPLOAD_MB="\\(.*\\)"/\\1/p' /etc/videoteca/videoteca.env)
site=/etc/nginx/conf.d/videoteca.conf
echo nginx on disk: $(sed -n 's/.*client_max_body_size \\(.*\\);/\\1/p' $site)
"""
"""What is on disk and what runs; threads are counted from uwsgi's own statistics."""


def changed(number: int) -> dict[str, int]:
    """Settings that nginx, uwsgi's own file and its environment have each to follow."""
    return {"threads": 2 + number // 2 % 2, "max_upload_mb": 300 + number}


def assert_converged(project: Project, app: dict[str, Any], node: str = NODE) -> None:
    found = dict(
        line.split(":", 1) for line in project.on(node, RUNNING).replace(": ", ":").splitlines()
    )
    threads, size = app["threads"], app["max_upload_mb"]
    workers = project.data["app"]["workers"]
    assert found == {
        "left": "",
        "owed": "",
        "threads on disk": str(threads),
        "threads running": str(threads * workers),
        "upload on disk": str(size),
        # What every address may be sent, and the address of uploads.
        "nginx on disk": f"3m {size + 1}m",
    }
    assert unread(project, [node]) == []
    cluster, limit = project.cluster, (size + 1) * MB
    for _ in range(4 * workers):  # so that each worker had its turn
        _, _, page = get(cluster.node(node).web_address, "/upload/", cluster.domain)
        assert f"up to {size} MB" in page
    # Old workers of nginx may answer for a moment after a reload.
    wait_for("refusal", 5, lambda: upload_is_refused(cluster, node, limit + 1))
    wait_for("acceptance", 5, lambda: not upload_is_refused(cluster, node, limit))


def finished(process: subprocess.Popen[str]) -> Result:
    out, err = process.communicate(timeout=60)
    return Result(process.returncode, out, err, 0.0)


@pytest.fixture(scope="module")
def span(deployed: Project) -> float:
    """Seconds that the agent works on the change when nobody kills it; the shorter of two."""
    found = []
    for number in (KILLS + 2, KILLS):
        deployed.write(**changed(number))
        with deployed.start(f"provision:{NODE}") as process:
            wait_for("agent", 60, lambda: deployed.agent(NODE))
            began = time.monotonic()
            wait_for("end of the agent", 60, lambda: not deployed.agent(NODE))
            found.append(time.monotonic() - began)
            finished(process).well()
        assert_converged(deployed, changed(number))
    return min(found)


@pytest.mark.parametrize("number", range(0, KILLS, 2))
def test_agents_killed_at_random_instants__the_next_run_converges(
    mended_at_the_end: Project, span: float, number: int
) -> None:
    """One on each child, at two instants of the twelve."""
    project, app = mended_at_the_end, changed(number)
    project.write(**app)
    # Both at work, whatever becomes of the other.
    with project.start("provision:server-n", "--serial", "2", "--max-failures", "2") as process:
        pids = {node: wait_for("agent", 60, partial(project.agent, node)) for node in CHILDREN}
        began = time.monotonic()
        killed = []
        for place, (node, pid) in enumerate(pids.items(), number):
            instant = span * (place + random.Random(SEED + place).random()) / KILLS
            time.sleep(max(0.0, began + instant - time.monotonic()))
            # Shown when it fails.
            print(f"NODRIZA_SEED={SEED}: {node} killed after {instant:.3f} s")  # noqa: T201
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed.append(node)
        result = finished(process)
    assert len(killed) == 2 or number >= KILLS // 2, f"done long before {span} s were over"
    if killed:
        assert result.exit == 1, result.said
        assert f"{len(killed)} of 2 nodes failed: {', '.join(killed)}" in result.said
        recap = result.said[result.said.index("FAILED") :]
        assert recap.count("the run on the host was ended") == len(killed), recap
        assert recap.count("run the same command again") == len(killed), recap
    project.fab("provision:server-n").well()
    for node in CHILDREN:
        assert_converged(project, app, node)
    assert project.fab("provision:server-n", "--json").well().changed() == {}


def test_agent_asked_to_end__stops_after_its_resource_and_does_not_say_that_all_is_well(
    mended_at_the_end: Project, span: float
) -> None:
    project = mended_at_the_end
    project.write(**changed(KILLS + 5))
    with project.start(f"provision:{NODE}", "--json") as process:
        pid = wait_for("agent at work", 60, lambda: project.agent_with_lock(NODE))
        os.kill(pid, signal.SIGTERM)
        result = finished(process)
    assert result.exit == 1, result.said
    assert "interrupted" in result.said
    assert "skipped" in result.statuses(NODE).values()
    assert result.recap["success"] is False
    project.fab(f"provision:{NODE}").well()
    assert_converged(project, changed(KILLS + 5))


def test_controller_killed__the_host_stops_cleanly_and_the_next_run_converges(
    mended_at_the_end: Project, span: float
) -> None:
    project = mended_at_the_end
    project.write(**changed(KILLS + 6))
    with project.start(f"provision:{NODE}") as process:
        wait_for("agent", 60, lambda: project.agent(NODE))
        time.sleep(span / 3)
        process.kill()
        process.communicate()
    wait_for("end of the agent", 30, lambda: not project.agent(NODE))
    project.fab(f"provision:{NODE}").well()
    assert_converged(project, changed(KILLS + 6))


def test_power_cut_in_the_middle__is_told_soon_and_the_next_run_converges(
    mended_at_the_end: Project, span: float
) -> None:
    project = mended_at_the_end
    project.write(**changed(KILLS + 3))
    with project.start("provision", "--max-failures", "1") as process:
        wait_for("agent", 20, lambda: project.agent(NODE))
        time.sleep(span / 2)
        began = time.monotonic()
        project.power_cut(NODE)
        try:
            result = finished(process)
        except subprocess.TimeoutExpired:
            pytest.fail("a minute after the power cut the controller still waits for the host")
        finally:
            project.power_on(NODE)
    assert time.monotonic() - began < 60
    assert result.exit == 1
    assert f"1 of 4 nodes failed: {NODE}" in result.said
    assert "the line to the host broke" in result.said
    project.fab("provision").well()
    wait_for("answer of every child", 60, lambda: serving(project.cluster))
    assert_converged(project, changed(KILLS + 3))


def test_second_run_meanwhile__is_told_who_is_at_work_and_since_when(
    mended_at_the_end: Project,
) -> None:
    project = mended_at_the_end
    project.write(**changed(KILLS + 4))
    with project.start(f"provision:{NODE}", "--json") as process:
        pid = wait_for("agent at work", 60, lambda: project.agent_with_lock(NODE))
        time.sleep(0.1)  # to write down who it is
        os.kill(pid, signal.SIGSTOP)
        try:
            second = project.fab("provision")
        finally:
            os.kill(pid, signal.SIGCONT)
        finished(process)
        assert process.returncode == 0
    assert second.exit == 1
    who = f"provision:{NODE} by root from {os.uname().nodename}, since 20"
    assert f"another run is at work on this host: {who}" in second.said
    assert "nothing was changed by this run" in second.said
    assert f"1 of 4 nodes failed: {NODE}" in second.said, "the others have their results"
    project.fab("provision").well()


def test_check__asks_for_no_lock(deployed: Project) -> None:
    with deployed.start(f"provision:{NODE}", "--json") as process:
        pid = wait_for("agent", 60, lambda: deployed.agent(NODE))
        os.kill(pid, signal.SIGSTOP)
        try:
            deployed.fab(f"provision:{NODE}", "--check").well()
        finally:
            os.kill(pid, signal.SIGCONT)
        finished(process)
