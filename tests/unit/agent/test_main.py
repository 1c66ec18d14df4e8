"""What the agent does with a request, on a host in a temporary folder."""

from __future__ import annotations

import io
import json
import os
import signal
import zlib
from pathlib import Path

import pytest

from nodriza.agent import main as module
from nodriza.agent.journal import Journal
from nodriza.host.errors import HostError
from nodriza.host.host import Host
from nodriza.host.line import EventStream
from nodriza.host.redact import Redactor
from nodriza.resources import Command, Directory, File, to_data

ME = {"owner": Path.home().owner(), "group": Path.home().group()}
DEBIAN = 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'


@pytest.fixture
def host(tmp_path, monkeypatch) -> Host:
    """Where the agent takes "/" to be."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text(DEBIAN)
    host = Host(str(tmp_path))
    monkeypatch.setattr(module, "Host", lambda: host)
    return host


class Controlled:
    """A controller that lets everything happen, and counts who stays for it."""

    stayed = 0
    fetch = None

    def wants_no_more(self) -> bool:
        return False

    def ask(self, serves: bool) -> bool:
        return True

    def stay(self) -> None:
        type(self).stayed += 1


def serve(mode: str, *resources: File, **more: object) -> tuple[int, list[dict]]:
    """Exit code and events."""
    out = io.BytesIO()
    request = {
        "run": "run-1",
        "mode": mode,
        "diff": False,
        "what": "test",
        "who": {"who": "eva", "from": "laptop", "revision": "abc"},
        "ask": {},
        "rollback": "",
        "releases": False,
        "cluster": "test",
        "whole": False,
        "keepers": {},
        "uses": [],
        "moved": [],
        "secrets": {},
        "resources": [{"id": r.id, **to_data(r)} for r in resources],
        **more,
    }
    line = EventStream(out, Redactor({}), {data["id"]: data for data in request["resources"]})
    code = module._serve(request, line, Controlled(), ("/var/lib/nodriza/agent/x", b"the agent"))
    return code, [json.loads(record) for record in out.getvalue().split(b"\x1e")[1:]]


def files(root: str) -> set[str]:
    return {str(path.relative_to(root)) for path in Path(root).rglob("*") if path.is_file()}


def test_check__leaves_nothing_on_the_host(host):
    """Neither the file, nor the agent, nor a word that it was there."""
    code, events = serve("check", File("/new", "x", **ME))
    assert code == 0
    assert [event["event"] for event in events] == ["start", "resource", "end"]
    assert events[0]["check"] is True
    assert files(host.root) == {"etc/os-release"}


@pytest.mark.parametrize("mode", ["dry-run", "", "Apply"])
def test_word_that_is_not_apply__changes_nothing(host, mode):
    """A controller of tomorrow may have more words."""
    serve(mode, File("/new", "x", **ME))
    assert files(host.root) == {"etc/os-release"}


def test_apply__changes_keeps_the_agent_and_remembers_who(host):
    code, _ = serve("apply", File("/new", "x", **ME))
    assert code == 0
    assert host.read("/new") == b"x"
    assert host.read("/var/lib/nodriza/agent/x") == b"the agent"
    record = Journal(host, "later").history()[0]
    assert (record["who"], record["revision"], record["what"]) == ("eva", "abc", "test")
    assert record["counts"]["changed"] == 1


def test_host_that_is_taken__is_told_and_left_alone(host):
    other = Journal(host, "run-0")
    other.lock({"who": "ana", "since": "03:00"})
    code, events = serve("apply", File("/new", "x", **ME))
    assert code == 3
    assert events == [{"event": "busy", "holder": {"who": "ana", "since": "03:00"}}]
    assert host.read("/new") is None
    other.unlock()
    assert serve("apply", File("/new", "x", **ME))[0] == 0


def test_deploy_that_is_under_way__is_told_also_while_nobody_is_at_work_here(host):
    """Its holder stays until its controller leaves; whoever waits for it has not the host."""
    Journal(host, "run-0").lock_releases({"who": "ana", "what": "deploy", "since": "03:00"})
    code, events = serve("apply", File("/new", "x", **ME), releases=True)
    assert code == 3
    assert [event["event"] for event in events] == ["busy"]
    assert events[0]["holder"]["what"] == "deploy"
    Journal(host, "run-1").lock({})
    assert host.read("/new") is None


def test_agent_of_a_deploy__stays_and_lets_others_change_the_host(host, monkeypatch):
    monkeypatch.setattr(Controlled, "stayed", 0)
    assert serve("apply", File("/new", "x", **ME), releases=True)[0] == 0
    assert Controlled.stayed == 1
    Journal(host, "run-1").lock({})
    assert serve("check", releases=True)[0] == 0
    assert Controlled.stayed == 1, "a check has nothing to hold"


def test_failed_resource__is_in_the_exit_code(host):
    (Path(host.root) / "new").mkdir()
    code, events = serve("apply", File("/new", "x", **ME))
    assert code == 1
    assert events[-1]["failed"] == 1


@pytest.mark.parametrize(
    "system", ['ID=fedora\nVERSION_ID="41"\n', 'ID=debian\nVERSION_ID="7"\n', ""]
)
def test_unknown_system__is_left_alone(host, system):
    (Path(host.root) / "etc/os-release").write_text(system)
    with pytest.raises(HostError, match="Nothing was changed"):
        serve("apply", File("/new", "x", **ME))
    assert files(host.root) == {"etc/os-release"}


def run_main(serve) -> tuple[int, dict]:
    """Exit code and last event of ``main`` in a process of its own, with this for its work."""
    inside, outside = os.pipe()
    stdin, end = os.pipe()
    body = zlib.compress(json.dumps({"resources": [], "secrets": {"key": "VALUE1111"}}).encode())
    pid = os.fork()
    if pid == 0:
        os.dup2(outside, 1)
        module._serve = serve
        module.main(body, stdin, None)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(outside)
    said = os.read(inside, 65536)
    for fd in (inside, stdin, end):
        os.close(fd)
    return code, json.loads(said.split(b"\x1e")[-1])


def test_mistake_of_ours__is_told_with_its_place_and_without_a_value():
    def serve(*_):
        raise ZeroDivisionError("with VALUE1111 in it")

    code, event = run_main(serve)
    assert code == 1
    assert event["event"] == "error"
    assert "ZeroDivisionError: with ‹secret:key› in it" in event["words"]
    assert "test_main.py" in event["words"]


def test_kernel_s_no__is_told_in_words():
    def serve(*_):
        raise OSError(28, "No space left on device")

    code, event = run_main(serve)
    assert code == 1
    assert "No space left on device: /var/lib/nodriza (the disk is full" in event["words"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signal__ends_the_run_after_the_resource_that_it_is_at(number):
    """Of a host that is shut down, or of somebody who means well."""

    def serve(request, line, controller, keep):
        before = controller.wants_no_more()
        os.kill(os.getpid(), number)
        line.emit({"event": "end", "stops": [before, controller.wants_no_more()]})
        return 0

    assert run_main(serve) == (0, {"event": "end", "stops": [False, True]})


def test_print_by_mistake__does_not_end_up_between_the_events():
    def serve(request, line, controller, keep):
        print("a stray word", flush=True)  # noqa: T201
        line.emit({"event": "end"})
        return 0

    assert run_main(serve) == (0, {"event": "end"})


def test_whole_plan__takes_away_what_the_one_before_had_made(host):
    """And no other plan does, nor a check."""
    serve("apply", File("/old", "x", **ME), whole=True)
    serve("apply", File("/new", "x", **ME))
    _, events = serve("check", File("/new", "x", **ME), whole=True)
    assert host.read("/old") == b"x"
    assert (events[0]["left"], events[0]["resources"]) == ({"file:/old": 0}, 2)
    _, events = serve("apply", File("/new", "x", **ME), whole=True)
    assert [event["id"] for event in events if event["event"] == "resource"] == ["file:/old"]
    assert events[-1]["changed"] == 1
    assert host.read("/old") is None


def test_whole_plan_that_fails__forgets_nothing(host, monkeypatch):
    def busy(*_):
        raise HostError("it is busy")

    serve("apply", File("/old", "x", **ME), whole=True)
    with monkeypatch.context() as patch:
        patch.setattr(File, "take_away", busy)
        assert serve("apply", File("/new", "x", **ME), whole=True)[0] == 1
    _, events = serve("apply", File("/new", "x", **ME), whole=True)
    assert events[0]["left"] == {"file:/old": 0}
    assert host.read("/old") is None


def test_what_stays__is_told_with_the_reason(host):
    serve("apply", File("/old", "x", **ME), whole=True)
    host.write("/old", "y")
    _, events = serve("apply", whole=True)
    things = {"file:/old": "somebody else has changed it"}
    assert [e["things"] for e in events if e["event"] == "kept"] == [things]
    _, events = serve("apply", whole=True)
    assert [e for e in events if e["event"] == "kept"] == []


def test_memory_that_is_damaged__is_told(host):
    serve("apply", File("/old", "x", **ME), whole=True)
    host.write("/var/lib/nodriza/plans/test.json", "{")
    _, events = serve("apply", whole=True)
    words = "plans/test.json is damaged: look at it. Nothing is taken away"
    assert words in next(e["words"] for e in events if e["event"] == "warning")
    assert host.read("/old") == b"x"


def test_rollback_of_a_run_that_took_a_file_away__lets_it_be_read_again(host, monkeypatch):
    """The plan of now knows nothing of it."""
    told = []
    monkeypatch.setattr(Command, "fix", lambda *_: told.append(host.read("/old")))
    monkeypatch.setattr(Command, "look", lambda _, many: [{"done": True} for _ in many])
    old, stays = File("/old", "x", **ME), File("/stays", "x", **ME)
    reader = Command("read", ("true",), on_change=(old, stays))
    serve("apply", old, stays, reader, whole=True, run="1-a")
    reader = Command("read", ("true",), on_change=(stays,))
    serve("apply", stays, reader, whole=True, run="2-b")
    serve("apply", stays, reader, rollback="2-b", run="3-c")
    assert told == [b"x", None, b"x"]


def test_rollback_of_a_run_that_took_folders_away__brings_them_back_as_they_were(host):
    folders = [Directory("/a", mode="0711", **ME), Directory("/a/b", mode="0700", **ME)]
    serve("apply", *folders, File("/a/b/old", "x", **ME), whole=True, run="1-a")
    serve("apply", whole=True, run="2-b")
    assert host.stat("/a") is None
    assert serve("apply", rollback="2-b", run="3-c")[0] == 0
    assert host.read("/a/b/old") == b"x"
    assert (host.stat("/a").mode, host.stat("/a/b").mode) == ("0711", "0700")


def test_job_that_moves_without_its_data__changes_nothing(host):
    def whole(keeper, *moved):
        keepers = {"database": keeper}
        options = {"whole": True, "keepers": keepers, "uses": ["database"], "moved": [*moved]}
        return serve("apply", File("/new", keeper, **ME), **options)

    assert whole("mysql on a")[0] == 0
    code, said = whole("mysql on b")
    assert code == 1
    assert said == [{"event": "moved", "jobs": {"database": "mysql on a"}}]
    assert host.read("/new") == b"mysql on a"
    assert whole("mysql on b", "database")[0] == 0
    assert whole("mysql on b")[0] == 0
