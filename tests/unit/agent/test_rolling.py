"""A node that serves changes when it is told to, out of rotation, and must be well after it."""

from __future__ import annotations

import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodriza.agent.converge import Converge
from nodriza.agent.journal import Journal
from nodriza.resources import Copy, Directory, File, Health, Mount, Package, Service
from tests.unit.agent.pretend import PretendHost

ME = {"owner": Path.home().owner(), "group": Path.home().group()}
RUN = "var/lib/nodriza-away/run"


class Node:
    """A service whose configuration's first word is what its health location answers."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runs = 0
        self.asked = 0
        self.turn = True
        self.asks: list[bool] = []
        self.seen_away: list[bool] = []

    @property
    def away(self) -> bool:
        return (self.root / RUN).exists()

    def status(self) -> int:
        self.asked += 1
        self.seen_away.append(self.away)
        read = PretendHost(self.root, {}).systemd.get("web", {}).get("read") or "0"
        return int(read.split()[0])

    def ask(self, serves: bool) -> bool:
        self.asks.append(serves)
        return self.turn

    def run(self, text: str, *more, crash_at: int | None = None, **options) -> Converge:
        self.runs += 1
        host = PretendHost(self.root, {"web": "/etc/web.conf"}, crash_at)
        file = File("/etc/web.conf", text, **ME)
        resources = [
            Directory("/etc", **ME),
            file,
            *more,
            Service("web", reload_on=(file,), check=("checker", "/etc/web.conf")),
            Health(self.url, also=self.also, patience=0),
        ]
        self.events: list[dict] = []
        journal = Journal(host, f"run-{self.runs}")
        loop = Converge(host, journal, resources, self.events.append, ask=self.ask, **options)
        loop.run()
        return loop

    url = ""
    also: tuple[tuple[str, int], ...] = ()
    page = 200

    def statuses(self) -> dict[str, str]:
        return {e["id"]: e["status"] for e in self.events if e["event"] == "resource"}

    def conf(self) -> str:
        return (self.root / "etc/web.conf").read_text()


@pytest.fixture
def node(tmp_path) -> Iterator[Node]:
    node = Node(tmp_path)

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(node.page if self.path == "/page" else node.status() or 500)
            self.end_headers()
            self.wfile.write(b"said the node")

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        node.url = f"http://127.0.0.1:{server.server_port}/healthz"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield node
        server.shutdown()
        thread.join()


def test_node_with_nothing_to_change__is_not_even_asked(node):
    node.run("200")
    before = node.asked
    loop = node.run("200")
    assert loop.counts["changed"] == 0
    assert node.asked == before
    assert node.seen_away[-1:] == [False]


def test_node_that_serves_nothing_yet__waits_for_those_before_it_and_takes_no_place(node):
    """A bare host, and one where nothing was ever deployed."""
    assert node.run("404").counts["failed"] == 0
    assert node.run("404 again").counts["failed"] == 0
    assert node.asks == [False, False]
    assert not node.away


def test_node_that_serves__waits_for_those_before_it_and_for_a_place(node):
    node.run("200")
    node.asks.clear()
    node.run("200 b")
    assert node.asks == [False, True]


def test_packages_of_a_node_that_serves_nothing__wait_for_nobody(node, monkeypatch):
    installed: list[str] = []
    monkeypatch.setattr(
        Package, "look", lambda _, many: [{"installed": p.name in installed} for p in many]
    )
    monkeypatch.setattr(
        Package, "fix_together", lambda _, many: installed.extend(p.name for p in many)
    )
    node.turn = False
    loop = node.run("404", Package("nginx"), Package("uwsgi-core"))
    assert installed == ["nginx", "uwsgi-core"]
    assert loop.counts["changed"] == 2 + 2  # and what comes before them in this plan
    assert loop.counts["skipped"] == 2
    assert node.asks == [False]


def test_new_node__waits_at_the_first_thing_that_another_has_to_give(node, monkeypatch):
    """And from its second run on before any change but that of its packages."""
    monkeypatch.setattr(Mount, "look", lambda _, many: [None for _ in many])
    monkeypatch.setattr(Mount, "fix", lambda *_: None)
    share = Mount("/srv/x", source="server-1:/x", fstype="nfs")
    prepared = File("/etc/prepared", "a", **ME)
    node.turn = False
    first = node.run("404", prepared, share)
    assert (first.counts["changed"], first.counts["skipped"]) == (3, 3)
    assert node.asks == [False]
    first.journal.remember({}, {})
    prepared = File("/etc/prepared", "b", **ME)
    assert node.run("404", prepared, share).counts["changed"] == 0
    assert (node.root / "etc/prepared").read_text() == "a"


def test_what_others_did_meanwhile__is_seen_before_anything_is_changed(node):
    """A share that the central node gives back while this one waits, say."""

    def another(serves: bool) -> bool:
        (node.root / "etc").mkdir()
        (node.root / "etc/web.conf").write_text("404")
        return True

    node.ask = another
    node.run("404")
    assert node.statuses()["directory:/etc"] == "ok"
    assert node.statuses()["file:/etc/web.conf"] == "ok"


def test_node_that_serves__is_out_of_rotation_while_it_changes(node):
    node.run("200")
    loop = node.run("200 b")
    assert loop.counts["failed"] == 0
    assert node.seen_away[-2:] == [False, True]
    assert not node.away
    assert loop.journal.all_owed() == []


def test_turn_that_does_not_come__leaves_everything_as_it_was(node):
    node.run("200")
    node.turn = False
    loop = node.run("200 b")
    assert loop.counts == {"ok": 1, "changed": 0, "failed": 0, "skipped": 3}
    assert node.conf() == "200"
    assert not node.away


def test_node_that_is_not_well_after_it__is_put_back_and_serves(node):
    node.run("200")
    loop = node.run("503 b")
    assert node.conf() == "200"
    assert loop.host.systemd["web"]["read"] == "200"
    assert node.statuses()[f"health:{node.url}"] == "failed"
    words = node.events[-1]["words"]
    assert "503 said the node" in words
    assert "With the old files back it is well" in words
    assert not node.away
    assert loop.journal.all_owed() == []
    restored = [e["paths"] for e in node.events if e["event"] == "restored"]
    assert restored == [["/etc/web.conf"]]


def test_copy_that_nobody_has_switched_to__owes_no_look_at_the_node(node, monkeypatch):
    """A deploy that was stopped there leaves nothing for the next provision to do."""
    made: list[str] = []
    monkeypatch.setattr(
        Copy, "look", lambda _, many: [{"tree": "a"} if made else None for _ in many]
    )
    monkeypatch.setattr(Copy, "fix", lambda self, *_: made.append(self.path))
    node.run("200")
    node.asks.clear()
    loop = node.run("200", Copy("/copy", tree="a"))
    assert made == ["/copy"]
    assert (loop.counts["changed"], loop.journal.all_owed(), node.asks) == (1, [], [])


def test_node_with_a_page_that_is_not_as_expected__is_put_back(node):
    node.also = (("/page", 0),)
    node.run("200")
    assert node.run("200 b").counts["failed"] == 0
    node.also, node.page = (("/page", 302),), 404
    assert node.run("200 c").counts["failed"] == 1
    assert node.conf() == "200 b"
    (failed,) = [e for e in node.events if e.get("status") == "failed"]
    assert "/page answers 404 in the place of 302" in failed["words"]


def test_node_that_stays_ill__stays_out_until_a_run_finds_it_well(node):
    node.run("200")
    (node.root / "gone").write_text("")
    old = PretendHost(node.root, {}).systemd
    old["web"]["read"] = "200"
    node.run("503 b")  # put back; then something else breaks it
    host = PretendHost(node.root, {"web": "/etc/web.conf"})
    (node.root / RUN).parent.mkdir(parents=True, exist_ok=True)
    (node.root / RUN).write_text("{}")
    host.systemd = {"web": {**host.systemd["web"], "read": "503"}}
    assert node.run("200").counts["failed"] == 1
    assert node.away
    host.systemd = {"web": {**host.systemd["web"], "read": "200"}}
    assert node.run("200").counts["changed"] == 1
    assert not node.away


def test_node_that_was_ill_before__is_left_to_be_looked_at(node):
    node.run("500")
    node.run("503 b")
    assert node.statuses()[f"health:{node.url}"] == "failed"
    assert node.conf() == "503 b"
    assert node.run("200 cured").counts["failed"] == 0


def test_checker_s_no__brings_the_node_back_as_well(node):
    """The run never gets as far as the health check; the node is what it was."""
    node.run("200")
    node.run("bad")
    assert node.statuses()["service:web"] == "failed"
    assert node.conf() == "200"
    assert not node.away


def test_run_that_was_cut_short__is_made_good_by_the_next(node):
    node.run("200")
    stop = iter([False, False, True])
    node.run("200 b", File("/etc/more", "x", **ME), stop=lambda: next(stop, True))
    assert node.conf() == "200 b"
    (node.root / RUN).write_text(json.dumps({"run": "run-2"}))  # as after a power cut
    loop = node.run("200 b", File("/etc/more", "x", **ME))
    assert loop.counts["failed"] == 0
    assert loop.host.systemd["web"]["read"] == "200 b"
    assert not node.away
    assert loop.journal.all_owed() == []


def test_operator_s_mark__stays(node):
    node.run("200")
    mark = node.root / RUN
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.with_name("operator").write_text("")
    node.run("200 b")
    assert mark.with_name("operator").exists()
    assert not node.away


def test_check__foretells_what_the_run_does(node):
    node.run("200")
    node.asks.clear()
    node.run("200 b", check=True)
    foretold = node.statuses()
    assert node.asks == [], "a check needs no turn"
    assert not node.away
    node.run("200 b")
    assert node.statuses() == foretold


def test_run_that_is_killed_at_any_step__leaves_no_mark_without_its_debt(node):
    """Whoever finds a node out of rotation also finds that it has to be put back."""
    node.run("200")
    before = PretendHost(node.root, {}).systemd
    marks = 0
    for step in range(100):
        pid = os.fork()
        if pid == 0:
            try:
                node.run("200 b", crash_at=step)
            finally:
                os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 9:
            break
        if node.away:
            marks += 1
            owed = {debt["id"] for debt in Journal(PretendHost(node.root, {}), "x").all_owed()}
            assert f"health:{node.url}" in owed, f"killed at step {step}"
        host = PretendHost(node.root, {"web": "/etc/web.conf"})
        host.systemd = before
        host.write("/etc/web.conf", "200", **ME)
        host.remove("/var/lib/nodriza-away")
        host.remove("/var/lib/nodriza")
    assert marks > 3
    assert not node.away
