"""The agent as it travels, started here by its own command: everything but SSH."""

from __future__ import annotations

import base64
import json
import marshal
import os
import re
import resource
import subprocess
import sys
import zlib
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodriza.agent.main import keep_agent
from nodriza.errors import ConnectionFailed
from nodriza.host.host import Host
from nodriza.resources import Command, File, to_data
from nodriza.ssh import agent_archive as pack
from nodriza.ssh import channel
from nodriza.ssh.conversation import Conversation

# What a login or a boot may have set on a host; each of them changes what some program does.
HOSTILE = {
    "PATH": "/nonexistent",
    "HOME": "/nonexistent",
    "LANG": "tr_TR.ISO-8859-9",
    "LC_ALL": "tr_TR.ISO-8859-9",
    "TZ": "Asia/Kathmandu",
    "TMPDIR": "/nonexistent",
    "http_proxy": "http://127.0.0.1:1/",
    "HTTPS_PROXY": "http://127.0.0.1:1/",
    "PYTHONPATH": "/nonexistent",
    "PYTHONSTARTUP": "/nonexistent",
    "PYTHONHOME": "/nonexistent",
    "PIP_INDEX_URL": "http://127.0.0.1:1/",
    "BASH_ENV": "/nonexistent",
    "ENV": "/nonexistent",
    "SYSTEMD_OFFLINE": "1",
}
ME = {"owner": Path.home().owner(), "group": Path.home().group()}


def ask(
    resources: list,
    *,
    noise: bytes = b"",
    secrets: dict | None = None,
    env: dict | None = None,
    umask: int = -1,
    questions: dict | None = None,
    counted: bool = True,
) -> list[dict]:
    """What it says, in the environment that a login gives it.

    It is asked to check only, so this computer does not keep the agent. ``counted=False``:
    the events of resources only, those that are ok among them.
    """
    request = {
        "run": "run-1",
        "mode": "check",
        "diff": True,
        "what": "test",
        "who": {},
        "ask": questions or {},
        "rollback": "",
        "releases": False,
        "cluster": "test",
        "whole": False,
        "secrets": secrets or {},
        "resources": [{"id": r.id, **to_data(r)} for r in resources],
    }
    with subprocess.Popen(
        ["/bin/sh", "-c", pack.command("")],
        env=env,
        umask=umask,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(noise + pack.payload(request) + pack.agent())
        process.stdin.flush()  # and it stays open: its end would mean "stop"
        records = process.stdout.read().decode().split("\x1e")[1:]
        process.stdin.close()
        assert records, process.stderr.read().decode()
    first, *events = (json.loads(record) for record in records)
    assert first == {"event": "agent"}
    if not counted:
        host = Conversation(request)
        heard = [e for event in events for e in host.heard(json.dumps(event).encode())]
        return [event for event in heard if event["event"] == "resource"]
    return events


def test_agent__arrives_whole_and_answers(tmp_path):
    events = ask([File(f"{tmp_path}/a", "x", **ME)])
    assert [event["event"] for event in events] == ["start", "resource", "end"]
    assert events[1]["status"] == "changed"
    assert not os.listdir(tmp_path)


@pytest.mark.parametrize("looks", [True, False])
def test_python_of_a_host__begins_without_what_it_was_set_up_with(looks):
    """No .pth file, no sitecustomize, no folder that somebody stands in (python(1), -I and -S)."""
    (begin,) = re.findall(r"exec python3 ([^c]*)-c ", decoded(pack.command("", looks=looks)))
    assert {"-I", "-S", "-B"} == {*begin.split()}


def test_agent__skips_what_stands_before_the_request(tmp_path):
    """sudo did not ask for the password that was sent for it."""
    events = ask([File(f"{tmp_path}/a", "x", **ME)], noise=b"hunter2hunter2\n")
    assert events[-1]["event"] == "end"


def test_agent__and_what_it_runs_are_out_of_reach_of_the_login_s_environment(tmp_path):
    found = f"{{ umask; pwd; env; }} >{tmp_path}/found"
    agent = f"tr '\\0' '\\n' </proc/$PPID/environ >{tmp_path}/agent; umask >>{tmp_path}/agent"
    looks = Command("look", argv=("true",), unless=("sh", "-c", f"{found}; {agent}"))
    assert ask([looks], env=HOSTILE, umask=0o077)[-1]["event"] == "end"
    umask, folder, *variables = (tmp_path / "found").read_text().splitlines()
    assert (umask, folder) == ("0022", "/")
    own = (tmp_path / "agent").read_text()
    for seen in (
        dict(line.split("=", 1) for line in variables),
        dict(re.findall("(.+)=(.*)", own)),
    ):
        assert {name: seen[name] for name in ("HOME", "LC_ALL")} == {
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
        }
        assert "/usr/bin" in seen["PATH"].split(":")
        assert set(seen) <= {
            "PATH",
            "HOME",
            "LC_ALL",
            "PWD",
            "_",
            "OLDPWD",
            "SHLVL",
            "NODRIZA_PROGRAM",
        }


def test_agent__shows_no_secret_in_a_diff(tmp_path):
    (tmp_path / "a").write_text("key = OLDVALUE1\n")
    file = File(f"{tmp_path}/a", "key = ‹secret:key›\n", **ME)
    said = json.dumps(ask([file], secrets={"key": "NEWVALUE1"}), ensure_ascii=False)
    assert "NEWVALUE1" not in said
    assert "OLDVALUE1" not in said
    assert "+key = ‹secret:key›" in said


def test_agent__is_the_same_bytes_each_time_and_small():
    first, name = pack.agent(), pack.name()
    for remembered in (pack.agent, pack.name, pack._source):
        remembered.cache_clear()
    assert (pack.agent(), pack.name()) == (first, name)
    assert len(first) < 106_000, "it travels to each host once a version"


def test_module_that_is_loaded_later__is_loaded_once():
    """Python 3.13's dataclasses asks it for each class."""
    ask = f"""
import sys
sys.path.insert(0, {str(Path(pack.__file__).parents[2])!r})
from nodriza.agent.start import Later
sys.modules["inspect"] = Later("inspect")
import dataclasses
assert "getsource" not in vars(sys.modules["inspect"])
dataclasses.inspect.signature
first = sys.modules["inspect"]
dataclasses.inspect.getsource
assert sys.modules["inspect"] is first
assert first.getsource.__module__ == "inspect"
"""
    subprocess.run([sys.executable, "-I", "-S", "-c", ask], check=True)


def test_command__holds_no_secret_and_no_plan():
    assert len(pack.command("sudo -n")) < 3_500


@pytest.fixture
def bare(tmp_path):
    """Programs of a host without Python, where apt-get is to be seen when it is called."""
    (tmp_path / "bin").mkdir()
    apt = tmp_path / "bin/apt-get"
    apt.write_text(f"#!/bin/sh\necho $2 >>{tmp_path}/apt\n")
    apt.chmod(0o755)

    def run(words, *, installed=False):
        (tmp_path / "list").touch() if installed else (tmp_path / "list").unlink(missing_ok=True)
        script = words.replace("/var/lib/dpkg/info/python3-minimal.list", f"{tmp_path}/list")
        env = {"PATH": f"{tmp_path}/bin"}
        code = subprocess.call(
            ["/bin/sh", "-c", f"{script}; exit 0"], env=env, stderr=subprocess.DEVNULL
        )
        log = tmp_path / "apt"
        return code, log.read_text().split() if log.exists() else []

    return run


def test_look__installs_nothing(bare):
    assert bare(pack.NEED_PYTHON) == (pack.ABSENT, [])
    assert pack.NEED_PYTHON in decoded(pack.command("", looks=True))
    assert "apt" not in decoded(pack.command("sudo -n", looks=True))


@pytest.mark.parametrize(("mode", "installs"), [("check", False), ("apply", True)])
def test_host_that_is_only_looked_at__is_asked_to_install_nothing(monkeypatch, mode, installs):
    commands = []

    def begin(connection, command):
        commands.append(command)
        raise ConnectionFailed("this is far enough")

    monkeypatch.setattr(channel, "begin", begin)
    connection = SimpleNamespace(user="root", client=None)
    with pytest.raises(ConnectionFailed):
        channel.exchange(connection, {"mode": mode, "resources": []}, lambda _: None)
    assert ("apt-get" in decoded(commands[0])) == installs


def test_run__installs_python_where_there_is_none_and_sees_whether_it_starts(bare):
    code, calls = bare(pack.GET_PYTHON)
    assert calls == ["update", "--no-install-recommends"]
    assert code == pack.BROKEN, "apt-get says yes, and there is none"


@pytest.mark.parametrize("words", [pack.NEED_PYTHON, pack.GET_PYTHON], ids=["look", "run"])
def test_python__that_is_installed_and_does_not_start_is_no_work_for_apt(bare, words, tmp_path):
    (tmp_path / "bin/python3").symlink_to("python3.11")
    assert bare(words, installed=True) == (pack.BROKEN, [])


@pytest.mark.parametrize("words", [pack.NEED_PYTHON, pack.GET_PYTHON], ids=["look", "run"])
def test_python__that_is_there_is_taken(bare, words, tmp_path):
    (tmp_path / "bin/python3").symlink_to("/bin/true")
    assert bare(words) == (0, [])


def decoded(command):
    words = command.partition(" sh ")[2].split()
    return base64.b64decode("".join(words)).decode()


def test_host__keeps_the_agent_and_the_one_before(tmp_path):
    host = Host(str(tmp_path))
    for number in range(3):
        keep_agent(host, f"/agent/{number}", b"data")
        os.utime(tmp_path / "agent" / str(number), (number, number))
    assert sorted(os.listdir(tmp_path / "agent")) == ["1", "2"]


def test_host__that_can_not_keep_the_agent_goes_on_without(tmp_path):
    keep_agent(Host(str(tmp_path)), "/nowhere/agent/1", b"data")
    assert not os.listdir(tmp_path)


@given(st.lists(st.sampled_from(["ok", "changed", "failed"])))
def test_controller__hears_of_every_resource_in_its_place(statuses):
    """A host only counts those that are ok."""
    start = {"event": "start", "resources": len(statuses), "python": "3", "check": False}
    said = [{**start, "left": {}, "clock": 0.0}]
    rest = {"gap": {}, "diff": "", "words": "", "seconds": 0.0}
    for number, status in enumerate(statuses):
        if status != "ok":
            said.append({"event": "doing", "id": "this one"})
            said.append({"event": "resource", "id": f"file:/{number}", "status": status, **rest})
        elif said[-1]["event"] == "ok":
            said[-1]["count"] += 1
        else:
            said.append({"event": "ok", "count": 1})
    resources = [{"id": f"file:/{number}"} for number in range(len(statuses))]
    asked = {"mode": "check", "rollback": "", "whole": False, "ask": {}, "resources": resources}
    host = Conversation(asked)
    heard = [e for event in said for e in host.heard(json.dumps(event).encode())]
    heard = [(e["id"], e["status"]) for e in heard if e["event"] == "resource"]
    assert heard == [(f"file:/{number}", status) for number, status in enumerate(statuses)]


@pytest.mark.skipif(resource.getrlimit(resource.RLIMIT_CORE)[1] == 0, reason="no core is allowed")
def test_agent__leaves_no_core_file_that_would_hold_the_secrets(tmp_path):
    """Neither of itself nor of what it starts."""
    allowed = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (allowed[1], allowed[1]))
    try:
        limit = Command("limit", ("false",), unless=("sh", "-c", 'test "$(ulimit -c)" = 0'))
        statuses = [e["status"] for e in ask([limit], counted=False)]
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, allowed)
    assert statuses == ["ok"]


def test_agent__says_no_value_in_any_event(tmp_path):
    """Facts, a warning, a failure: whatever repeats what it has read on the host."""
    (tmp_path / "VALUE1111").touch()
    events = ask(
        [File(f"{tmp_path}/a", "x", **ME)],
        secrets={"key": "VALUE1111"},
        questions={"listing": [f"{tmp_path}/*"]},
    )
    facts = next(event for event in events if event["event"] == "facts")
    assert list(facts["listing"]) == [f"{tmp_path}/‹secret:key›"]


def test_agent__that_fails_in_a_way_nobody_thought_of_says_so_without_a_value(tmp_path):
    events = ask([File("not/absolute/VALUE1111", "x", **ME)], secrets={"key": "VALUE1111"})
    assert events[-1]["event"] == "error"
    assert "not an absolute path: not/absolute/‹secret:key›" in events[-1]["words"]
    assert "VALUE1111" not in json.dumps(events)


@pytest.fixture
def kept(tmp_path, monkeypatch) -> Path:
    """The file of a host that keeps the agent, which is in this folder instead."""
    monkeypatch.setattr(pack, "BOOTSTRAP", pack.BOOTSTRAP.replace(pack.KEPT, str(tmp_path)))
    return tmp_path / f"{pack.name()}.{MAGIC_NUMBER[:2].hex()}"


def agent_of(module: str) -> bytes:
    """As a host keeps it; ``module`` stands in the place of its first one."""
    code = {"nodriza": "", "nodriza.agent": "", "nodriza.agent.start": module}
    path = "nodriza/{}/__init__.py"
    data = marshal.dumps(
        {name: (path, marshal.dumps(compile(text, path, "exec"))) for name, text in code.items()}
    )
    return zlib.crc32(data).to_bytes(4, "big") + data


WHAT_IS_KEPT = 'def start(*_): print(\'\\x1e{"event":"kept"}\', flush=True)'


def heard_first(request: bytes) -> str:
    """The first event of a host; it gets no more than the request."""
    argv = ["sh", "-c", pack.command("")]
    done = subprocess.run(argv, input=request, capture_output=True, check=False)
    return json.loads(done.stdout.decode().split("\x1e")[1])["event"]


def test_agent_that_a_host_keeps__is_used(kept):
    kept.write_bytes(agent_of(WHAT_IS_KEPT))
    assert heard_first(pack.payload({})) == "kept"


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "only a sum", "missing"])
def test_agent_that_is_damaged__is_asked_for_anew(kept, damage):
    """A disk that was full, or a bit that fell over: root runs nothing of the sort."""
    whole = agent_of(WHAT_IS_KEPT)
    middle = len(whole) // 2
    left = {
        "cut": whole[:-20],
        "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        "empty": b"",
        "only a sum": b"\0\0\0\0",
    }
    if damage in left:
        kept.write_bytes(left[damage])
    assert heard_first(pack.payload({})) == "agent"


def test_agent_that_is_kept__is_for_root_only(tmp_path):
    host = Host(str(tmp_path))
    host.mkdir("/lib")
    keep_agent(host, "/lib/agent/1", b"data")
    assert host.stat("/lib/agent").mode == "0700"
    assert host.stat("/lib/agent/1").mode == "0600"
