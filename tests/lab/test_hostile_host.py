"""A machine that lies stands beside three honest ones, whose results all stand.

Its sshd runs a liar in the place of every command, and behind other ports it has listeners
that never become SSH. With each command that connects: nothing hangs, nothing fills the
controller, nothing of what it says reaches the terminal but letters, and nothing is hidden.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodriza.watch.logs import DEADLINE
from tests.lab import liar
from tests.lab.project import FAB, Project, Result

LIAR = "video-1"
HONEST = ("server-1", "server-2", "server-3")
MOVES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069]")
MEGABYTES = 250
"""What the controller may have at once; of four honest hosts it takes about 90."""
MEASURED = f"""#!{sys.executable}
import pathlib, resource, subprocess, sys
code = subprocess.call([{str(FAB)!r}, *sys.argv[1:]])
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
pathlib.Path(__file__).with_name("megabytes").write_text(str(peak))
sys.exit(code)
"""
LIES = (
    "missing",
    "escapes",
    "refuses",
    "holds",
    "done_at_once",
    "dies",
    "line_without_end",
    "events_without_end",
    "stderr_without_end",
    "huge_answer",
    "nested",
)
COMMANDS = (
    ("status",),
    ("status", "--json"),
    ("history",),
    ("drift",),
    ("provision", "--check", "--diff"),
    ("provision", "--json"),
    ("logs", "--lines", "50"),
)
SECONDS = {"logs": DEADLINE + 30}
"""What a command may take; any other a minute. Logs are read until their deadline."""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = Project.make(tmp_path_factory.mktemp("hostile"), "hostile", 211)
    project.program = project.folder / "fab-measured"
    project.program.write_text(MEASURED)
    project.program.chmod(0o755)
    with project.up("provision:server-1,server-2,server-3"):
        script = Path(liar.__file__).read_text()
        project.on(LIAR, "cat >/root/liar && chmod 755 /root/liar", stdin=script)
        project.on(LIAR, "systemd-run --quiet --unit=listeners /root/liar listen")
        forced = "printf 'Match User root\\n ForceCommand /root/liar\\n'"
        project.on(LIAR, f"{forced} >/etc/ssh/sshd_config.d/99-liar.conf; systemctl reload ssh")
        yield project


def heard(project: Project, *words: str, seconds: float, inside: bool = False) -> Result:
    """What a command says, which is text, soon, and costs little."""
    result = project.fab(*words, timeout=seconds, inside=inside)
    megabytes = int((project.folder / "megabytes").read_text())
    assert megabytes < MEGABYTES, f"{words}: {megabytes} MB"
    assert not MOVES.search(result.said), f"{words}: {MOVES.findall(result.said)}"
    assert "Traceback" not in result.said
    assert not re.search("^server-1  all is well", result.said, re.MULTILINE)
    if words[0] != "status":  # which wraps a long line where it likes, and has no such labels
        assert not re.search("^  next: evil", result.said, re.MULTILINE)
    return result


def asked(project: Project, *words: str, inside: bool = False) -> Result:
    """The same for one of ``COMMANDS``, after the inventory if it is named; each honest host
    has just written a line to its journal."""
    for node in HONEST:  # else one that had much to say has all of the newest lines
        project.on(node, "logger an honest word")
    seconds = next((SECONDS[word] for word in words if word in SECONDS), 60)
    return heard(project, *words, seconds=seconds, inside=inside)


def assert_honest_hosts_are_told_of(result: Result, command: tuple[str, ...]) -> None:
    if command == ("provision", "--json"):
        for node in HONEST:
            assert result.recap["nodes"][node]["error"] is None
            assert result.recap["nodes"][node]["failed"] == 0
        assert result.recap["success"] is False
    elif command[0] == "logs":
        for node in HONEST:
            assert re.search(rf"^\S+ \S+ {node} \S+: an honest word$", result.stdout, re.M)
    elif command[0] == "drift":  # which names those that differ, and counts the others
        assert not re.search(r"^server-\d +error", result.stdout, re.M)
        assert "of 4 nodes are as planned" in result.stdout
    else:
        assert all(node in result.stdout for node in HONEST)


@pytest.mark.parametrize("lie", LIES)
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_liar__hides_no_honest_host_in_any_command(
    hostile: Project, command: tuple[str, ...], lie: str
) -> None:
    hostile.on(LIAR, "cat >/root/lie", stdin=lie)
    result = asked(hostile, *command)
    assert_honest_hosts_are_told_of(result, command)
    if command[0] not in ("logs", "history"):
        assert result.exit != 0


def test_host_that_drips__is_given_up_in_time_and_meanwhile_it_is_said_who_is_waited_for(
    hostile: Project,
) -> None:
    hostile.on(LIAR, "cat >/root/lie", stdin="drips")
    result = heard(hostile, "status", seconds=200)
    assert "3 of 4 nodes are done; video-1: is sent its plan" in result.stderr
    assert "it had not said all within" in result.stdout
    assert result.exit == 1
    result = heard(hostile, "logs", "--lines", "50", seconds=200)
    assert "3 of 4 nodes have ended; still at work: video-1" in result.stderr
    assert "no end within 120 s" in result.stderr
    assert all(f" {node} " in result.stdout for node in HONEST)


@pytest.mark.parametrize("port", liar.LISTENERS)
@pytest.mark.parametrize("command", [COMMANDS[0], *COMMANDS[2:]], ids=" ".join)
def test_listener__hides_no_honest_host_in_any_command(
    hostile: Project, command: tuple[str, ...], port: int
) -> None:
    name = listener(hostile, port)
    result = asked(hostile, name, *command, inside=True)
    assert result.exit == 1
    assert_honest_hosts_are_told_of(result, command)


@pytest.mark.parametrize("port", liar.LISTENERS)
def test_listener__tells_hostkeys_accept_nothing_that_moves_a_cursor(
    hostile: Project, port: int
) -> None:
    name = listener(hostile, port)
    result = heard(hostile, name, "hostkeys.accept", LIAR, seconds=60, inside=True)
    assert result.exit == 1
    assert "no way to the host" in result.said


def listener(project: Project, port: int) -> str:
    """An inventory by which the liar is spoken to on another port."""
    node = project.data["nodes"][LIAR]
    project.data["nodes"][LIAR] = {**node, "ssh": {"port": port}}
    try:
        return project.as_real_hosts("listener")
    finally:
        project.data["nodes"][LIAR] = node
