"""One bad node never hides the result of the others, nor makes anybody wait."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator

from tests.lab.project import Project, wait_for
from tests.lab.visitor import get, not_serving, serving


def test_node_that_is_down__is_named_and_the_others_have_their_results(mended: Project) -> None:
    mended.power_cut("server-3")
    mended.write(max_upload_mb=233)
    try:
        result = mended.fab("provision", "--json")
        words = mended.fab("provision")
    finally:
        mended.power_on("server-3")
    assert result.seconds < 25
    assert result.exit == 1
    for node in ("server-1", "server-2", "video-1"):
        assert result.recap["nodes"][node]["error"] is None
        assert "changed" in result.statuses(node).values()
    error = result.recap["nodes"]["server-3"]["error"]
    assert error["kind"] == "ConnectionFailed"
    assert "root@198.18.27.13:22" in error["where"]
    assert "1 of 4 nodes failed: server-3" in words.said
    assert "server-3 (root@198.18.27.13:22)" in words.said
    assert "see that it runs, that the address in the inventory is right" in words.said
    mended.times["provision with a node that is down"] = result.seconds
    # And when it is back, the same command brings it what it missed.
    assert (
        "file:/etc/nginx/conf.d/videoteca.conf"
        in (mended.fab("provision", "--json").well().changed()["server-3"])
    )


def test_central_that_is_down__leaves_the_other_nodes_alone_in_words(mended: Project) -> None:
    mended.power_cut("server-1")
    mended.write(max_upload_mb=234)
    try:
        result = mended.fab("provision", "--json")
        words = mended.fab("provision")
        child = mended.cluster.node("server-2")
        status, headers, _ = get(child.web_address, "/static/", mended.cluster.domain)
    finally:
        mended.power_on("server-1")
    assert result.seconds < 25
    assert result.exit == 1
    for node in ("server-2", "server-3", "video-1"):
        assert result.statuses(node) == {}
        error = result.recap["nodes"][node]["error"]
        assert error["what"] == "left alone, because server-1 failed"
        assert "the message of server-1" in error["next"]
    assert "4 of 4 nodes failed" in words.said
    assert "this node was not touched" in words.said
    assert (status, headers.get("X-Served-By")) != (200, None), "nginx itself is there"
    # The children come back by themselves when the central does.
    wait_for("answer of every child", 90, lambda: serving(mended.cluster))


def test_status__shows_a_node_that_is_down_and_ends_with_1(mended: Project) -> None:
    mended.power_cut("video-1")
    try:
        result = mended.fab("status")
    finally:
        mended.power_on("video-1")
    assert result.exit == 1
    assert "video-1" in result.said
    for node in ("server-1", "server-2", "server-3"):
        assert node in result.said


@contextlib.contextmanager
def change(project: Project, megabytes: int) -> Iterator[subprocess.Popen[str]]:
    """A provision of one child; its agent has the host."""
    project.write(max_upload_mb=megabytes)
    with project.start("provision:server-2") as process:
        wait_for("agent at work", 60, lambda: project.agent_with_lock("server-2"))
        yield process


def test_laptop_that_sleeps_mid_run__holds_no_host_and_tells_when_it_wakes(
    mended_at_the_end: Project,
) -> None:
    project = mended_at_the_end
    with change(project, 241) as process:
        os.kill(process.pid, signal.SIGSTOP)
        meanwhile = project.fab("provision:server-2")
        # It waits for its turn, and not for ever.
        wait_for("end of the agent", 120, lambda: not project.agent("server-2"), every=1)
        other = project.fab("provision:server-2", "--json").well()
        os.kill(process.pid, signal.SIGCONT)
        out, err = process.communicate(timeout=60)
    assert "another run is at work on this host: provision:server-2 by root from" in meanwhile.said
    assert "file:/etc/nginx/conf.d/videoteca.conf" in other.changed()["server-2"]
    assert process.returncode == 1, out + err
    assert "no sign of the controller for 90 s" in out
    # Its turn had not come: nothing had begun that could be continued.
    assert "kept  nothing was changed on it" in out
    assert "next  run the same command again\n" in out
    assert project.fab("provision:server-2", "--json").well().changed() == {}


def test_central_that_reboots_while_a_child_changes__costs_a_second_run_at_most(
    mended_at_the_end: Project,
) -> None:
    project = mended_at_the_end
    with change(project, 242) as process:
        project.power_cut("server-1")
        project.power_on("server-1")
        out, err = process.communicate(timeout=300)
    said = out + err
    assert "Traceback" not in said
    if process.returncode:
        assert "FAILED  server-2" in said
        assert "next  " in said
    wait_for("answer of every child", 120, lambda: serving(project.cluster))
    project.fab("provision").well()
    assert project.fab("provision", "--json").well().changed() == {}
    assert not_serving(project.cluster) == {}


def test_share_that_is_away_while_a_child_boots__is_mounted_on_access_as_ever(
    mended: Project,
) -> None:
    """Also after mount.glusterfs, cleaning up behind a failure, has unmounted the automount."""
    mended.on("server-1", "systemctl stop glusterd; pkill glusterfsd")
    mended.power_cut("server-2")
    mended.power_on("server-2")
    mended.on("server-2", "umount /srv/videoteca")
    journal = mended.on("server-2", "journalctl -b -u srv-videoteca.automount")
    assert "Failed with result 'unmounted'" in journal
    mended.on("server-1", "systemctl start glusterd")
    wait_for("answer of every child", 90, lambda: serving(mended.cluster))
    units = "systemctl is-active srv-videoteca.automount srv-videoteca.mount"
    assert mended.on("server-2", units) == "active\nactive\n"


def test_video_worker__ends_when_asked_although_its_broker_was_cut_off(
    mended_at_the_end: Project,
) -> None:
    """Its connection is dead, and nobody has told it so."""
    project = mended_at_the_end
    wait_for(
        "worker", 60, lambda: "6379" in project.on("video-1", "ss -Htnp | grep celery || true")
    )
    project.power_cut("server-1")
    project.power_on("server-1")
    began = time.monotonic()
    project.on("video-1", "systemctl stop celery")
    assert time.monotonic() - began < 45
    project.fab("provision").well()
    assert project.on("video-1", "systemctl is-active celery") == "active\n"
