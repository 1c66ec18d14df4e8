"""A cluster that changes under its visitors' hands, and loses none of them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import threading
import time
from pathlib import Path

from tests.lab.project import Project, wait_for
from tests.lab.visitor import Visitor, get, whoami

CHILDREN = ("server-2", "server-3")
# What a new master of uwsgi, its restart, and a reload of nginx each need.
CHANGE = {"workers": 3, "max_upload_mb": 210, "environment": {"MALLOC_ARENA_MAX": 2}}
# The application is well with it, and so is uwsgi's checker: only who asks the service sees it.
ILL = {"environment": {"UWSGI_ROUTE": "^/healthz break:500 Ill"}}


class Rotation:
    """What load balancers are told: every change of it, by the second."""

    def __init__(self, project: Project) -> None:
        self.cluster = project.cluster
        self.told: list[tuple[str, int]] = []
        self.out_at_once = 0
        self._now: dict[str, int] = {}
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._leave.wait(0.1):
            for child in self.cluster.children:
                status, _, _ = get(child.web_address, "/healthz", self.cluster.domain)
                if self._now.get(child.name) != status:
                    self.told.append((child.name, status))
                self._now[child.name] = status
            self.out_at_once = max(self.out_at_once, sum(s != 200 for s in self._now.values()))

    def __enter__(self) -> Rotation:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave.set()
        self._thread.join()


def test_change_that_restarts_uwsgi_and_nginx__loses_no_request(mended: Project) -> None:
    before = {child: whoami(mended.cluster, child)["pid"] for child in CHILDREN}
    mended.write(**CHANGE)
    with Rotation(mended) as rotation, Visitor(mended.cluster, "/") as visitor:
        time.sleep(1)
        done = mended.fab("provision", "--json").well()
        time.sleep(2)
    mended.times["rolling change of two children"] = done.seconds
    assert visitor.bad == []
    assert visitor.answers > 100
    assert rotation.out_at_once == 1
    for child in CHILDREN:
        assert [status for name, status in rotation.told if name == child] == [200, 503, 200]
        assert {"service:uwsgi", "service:nginx"} <= set(done.changed()[child])
        assert whoami(mended.cluster, child)["pid"] != before[child]
    again = mended.fab("provision", "--json").well()
    assert again.changed() == {}
    assert not [event for event in again.events if event["event"] in ("turn", "away")]


def test_deploy__loses_no_request(deployed: Project) -> None:
    source, kept = deployed.folder / "videoteca", deployed.folder / "videoteca.before"
    shutil.copytree(source, kept)
    (source / "rolling.txt").write_text(f"{time.time()}\n")
    try:
        old = {child: whoami(deployed.cluster, child)["release"] for child in CHILDREN}
        with Visitor(deployed.cluster, "/") as visitor:
            deployed.fab("deploy").well()
            wait_for(
                "new release",
                60,
                lambda: all(
                    whoami(deployed.cluster, child).get("release") != old[child]
                    for child in CHILDREN
                ),
            )
            time.sleep(3)
        assert visitor.bad == []
        assert visitor.answers > 100
    finally:
        shutil.rmtree(source)
        Path(kept).rename(source)


def test_child_that_is_not_well_afterwards__is_put_back_and_the_others_are_left_alone(
    mended: Project,
) -> None:
    mended.write(**ILL)
    with Visitor(mended.cluster, "/whoami") as visitor:
        done = mended.fab("provision:server-n")
    assert done.exit == 1
    assert re.search(r"not well after \d+ s: 500", done.said)
    assert "With the old files back it is well, and serves" in done.said
    assert "nothing was changed on it, and it goes on serving" in done.said
    assert visitor.bad == []
    for child in mended.cluster.children:
        assert get(child.web_address, "/healthz", mended.cluster.domain)[0] == 200
        environment = mended.on(child.name, "cat /etc/videoteca/videoteca.env")
        assert "UWSGI_ROUTE" not in environment
        assert "run" not in mended.on(child.name, "ls /var/lib/nodriza-away", check=False)


def test_run_that_was_killed_while_a_child_was_away__is_made_good_by_the_next(
    mended: Project,
) -> None:
    mended.write(**CHANGE)
    away = "/var/lib/nodriza-away/run"
    with mended.start("provision:server-2") as process:
        wait_for("mark", 60, lambda: mended.on("server-2", f"ls {away}", check=False))
        os.kill(mended.agent("server-2") or 0, signal.SIGKILL)
        process.wait()
    mended.on("server-2", f"test -e {away}")
    address, domain = mended.cluster.node("server-2").web_address, mended.cluster.domain
    assert get(address, "/healthz", domain)[0] == 503
    assert get(address, "/whoami", domain)[0] == 200
    mended.fab("provision:server-2").well()
    assert get(address, "/healthz", domain)[0] == 200


def test_drained_child__stays_out_and_the_last_one_is_not_drained(mended: Project) -> None:
    """Nobody's name server knows who is out: the children do."""
    addresses = [child.web_address for child in mended.cluster.children]
    domain = mended.cluster.domain
    drained = mended.fab("drain", "server-3").well()
    assert "take these out at your DNS provider" in drained.said  # no node has the role dns
    try:
        mended.fab("provision").well()
        refused = mended.fab("drain", "server-2")
        assert refused.exit == 2
        assert "no child would be in rotation; server-3: drained (operator)" in refused.said
        assert "bring one back first: fab undrain server-3" in refused.said
        assert [get(address, "/healthz", domain)[0] for address in addresses] == [200, 503]
    finally:
        mended.fab("undrain", "server-3").well()
    assert [get(address, "/healthz", domain)[0] for address in addresses] == [200, 200]
