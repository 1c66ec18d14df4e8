"""What goes to a host and where, and what is said when it stops answering: over real SSH."""

from __future__ import annotations

import base64
import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from nodriza.errors import ConnectionFailed, HostRefused
from nodriza.resources import Command, File, to_data
from nodriza.ssh import agent_archive as pack
from nodriza.ssh import channel, commands
from tests.unit.sshd import Sshd, logged_in

ME = {"owner": Path.home().owner(), "group": Path.home().group()}
PASSWORD = "correct-horse-battery"
SUDO = """#!/bin/sh
# What sudo(8) does with -S, and a note of what it was called with.
printf '%s\\n' "$*" >>"$NOTES/argv"
while [ "${1#-}" != "$1" ]; do case $1 in -p) shift;; -S) read -r word;; esac; shift; done
printf '%s\\n' "$word" >>"$NOTES/password"
exec "$@"
"""


def request(*resources: object, **more: object) -> dict:
    return {
        "run": "run-1",
        "mode": "check",
        "diff": False,
        "what": "test",
        "who": {},
        "ask": {},
        "rollback": "",
        "releases": False,
        "cluster": "test",
        "whole": False,
        "secrets": {"redis": "VALUE1111"},
        "resources": [{"id": r.id, **to_data(r)} for r in resources],
        **more,
    }


def read(commands: list[str]) -> str:
    """As somebody reads them who knows how they are coded (``nodriza.ssh.login_shell``)."""
    coded = "".join(word for line in commands for word in line.split() if len(word) > 99)
    return "\n".join(commands) + base64.b64decode(coded + "===").decode("utf-8", "replace")


@pytest.fixture
def sshd(tmp_path):
    """With a sudo that notes how it was called."""
    (tmp_path / "sudo").write_text(SUDO)
    (tmp_path / "sudo").chmod(0o755)
    sudo = {"/usr/bin/sudo": f"{tmp_path}/sudo"}
    return Sshd({"NOTES": str(tmp_path)}, stand_ins=sudo)


def test_sudo_password__goes_down_the_line_and_into_no_command(sshd, tmp_path):
    """A command line is there to be read by everybody on the host (proc_pid_cmdline(5))."""
    events = []
    with logged_in(sshd, "admin") as connection:
        wanted = request(File(f"{tmp_path}/a", "x", **ME))
        channel.exchange(connection, wanted, events.append, sudo_password=PASSWORD)
    assert (tmp_path / "password").read_text() == f"{PASSWORD}\n"
    assert PASSWORD not in read(sshd.commands)
    assert PASSWORD not in (tmp_path / "argv").read_text()
    assert events[-1]["event"] == "end"


def test_sudo_password_of_a_shell_command__goes_down_the_line_too(
    sshd, tmp_path, monkeypatch, three_node
):
    with logged_in(sshd, "admin") as connection:
        monkeypatch.setattr(commands, "connect", lambda *_: Entered(connection))
        everywhere = commands.Everywhere(
            three_node, {"server-2": "echo done"}, sudo=True, sudo_password=PASSWORD
        )
        lines = list(everywhere.lines())
    assert lines == [("server-2", "done")]
    assert everywhere.ended["server-2"].exit == 0
    assert (tmp_path / "password").read_text() == f"{PASSWORD}\n"
    assert PASSWORD not in read(sshd.commands)
    assert PASSWORD not in (tmp_path / "argv").read_text()


class Entered:
    """A connection that is entered and left as Fabric's is."""

    def __init__(self, connection: object) -> None:
        self.connection = connection

    def __enter__(self) -> object:
        return self.connection

    def __exit__(self, *_: object) -> None:
        pass


def test_values_of_secrets__are_in_no_command(sshd, tmp_path):
    with logged_in(sshd) as connection:
        wanted = request(File(f"{tmp_path}/a", "‹secret:redis›", **ME))
        channel.exchange(connection, wanted, lambda _: None)
    assert sshd.commands == [pack.command("", looks=True)]
    assert "VALUE1111" not in read(sshd.commands)


def test_host_that_falls_silent__is_not_waited_for_for_ever(sshd, monkeypatch):
    monkeypatch.setattr(channel, "SILENCE", 0.5)
    monkeypatch.setattr(pack, "command", lambda _, **__: "sleep 30")
    began = time.monotonic()
    with logged_in(sshd) as connection, pytest.raises((ConnectionFailed, HostRefused)):
        channel.exchange(connection, request(), lambda _: None)
    assert time.monotonic() - began < 15


def test_agent_that_is_killed__is_told_with_what_it_was_at_and_what_to_type(sshd, tmp_path):
    def killed(event: dict) -> None:
        if event["event"] == "start":
            os.killpg(sshd.processes[0].pid, signal.SIGKILL)

    slow = Command("slow", ("true",), unless=("sleep", "5"))
    with logged_in(sshd) as connection, pytest.raises(ConnectionFailed) as failed:
        channel.exchange(connection, request(slow), killed)
    assert "before its time" in failed.value.what
    assert failed.value.kept == "what is due on the host is written down there"
    assert failed.value.do.startswith("run the same command again")


def test_host_that_can_not_start__says_so_and_that_nothing_was_changed(sshd, monkeypatch):
    monkeypatch.setattr(pack, "command", lambda _, **__: "echo no luck here >&2; exit 7")
    with logged_in(sshd) as connection, pytest.raises(HostRefused) as refused:
        channel.exchange(connection, request(), lambda _: None)
    assert "exit 7" in refused.value.what
    assert "no luck here" in refused.value.what
    assert refused.value.kept == "nothing was changed on it"


def test_stop__reaches_the_host_as_the_end_of_its_stdin(sshd, tmp_path):
    """It ends after the resource that it is at, and says so itself."""
    stop, events = threading.Event(), []

    def heard(event: dict) -> None:
        events.append(event)
        if event["event"] == "start":
            stop.set()

    many = [Command(f"slow-{number}", ("true",), unless=("sleep", "0.6")) for number in range(2)]
    with logged_in(sshd) as connection:
        wanted = request(*many, File(f"{tmp_path}/last", "x", **ME))
        channel.exchange(connection, wanted, heard, stop=stop)
    assert events[-1]["event"] == "end"
    assert events[-1]["skipped"] > 0
    assert json.dumps(events).count("the run was interrupted") > 0


def test_line_that_never_ends__is_cut_and_the_rest_is_read(sshd, three_node, monkeypatch):
    """A program that prints dots for ever would fill this computer's memory."""
    monkeypatch.setattr(channel, "LONGEST", 1000)
    words = "head -c 200000 /dev/zero | tr '\\0' .; echo; echo last"
    with logged_in(sshd) as connection:
        monkeypatch.setattr(commands, "connect", lambda *_: Entered(connection))
        lines = [line for _, line in commands.Everywhere(three_node, {"server-2": words}).lines()]
    assert lines[-1] == "last"
    assert max(len(line) for line in lines) < 3000
    assert len(lines) > 3, "it comes in pieces, and nobody waits for its end"


def test_errors_of_a_host__are_kept_to_their_last_lines(sshd, monkeypatch):
    words = "i=0; while [ $i -lt 4000 ]; do echo line $i >&2; i=$((i+1)); done; exit 4"
    monkeypatch.setattr(pack, "command", lambda _, **__: words)
    with logged_in(sshd) as connection, pytest.raises(HostRefused) as refused:
        channel.exchange(connection, request(), lambda _: None)
    assert "line 3999" in refused.value.what
    assert "line 3000" not in refused.value.what


def test_errors_without_end__end(sshd, monkeypatch):
    monkeypatch.setattr(channel, "ERRORS", 100_000)
    monkeypatch.setattr(pack, "command", lambda _, **__: "exec yes trouble >&2")
    began = time.monotonic()
    with logged_in(sshd) as connection, pytest.raises(HostRefused, match="on stderr"):
        channel.exchange(connection, request(), lambda _: None)
    assert time.monotonic() - began < 30


def test_look_at_a_host__has_a_deadline_however_often_it_says_something(sshd, monkeypatch):
    """A byte a second would be no silence."""
    monkeypatch.setattr(pack, "command", lambda _, **__: "while sleep 0.1; do echo .; done")
    began = time.monotonic()
    with logged_in(sshd) as connection, pytest.raises(ConnectionFailed, match="within"):
        channel.exchange(connection, request(), lambda _: None, deadline=1)
    assert time.monotonic() - began < 20


def test_sudo__is_called_by_its_whole_path(sshd, tmp_path):
    """The PATH of a login may begin anywhere."""
    for password in (None, PASSWORD):
        assert channel.sudo_words("admin", password).startswith("/usr/bin/sudo ")
    assert channel.sudo_words("root", PASSWORD) == ""


def test_login_that_ends_before_our_command__is_told_with_where_to_look(tmp_path):
    """A .bashrc with "exit 0" in it: there is no error to show, and no word of anybody's."""
    leaves = Sshd(stand_ins={"/usr/bin/env": "exit 0; true"})
    with logged_in(leaves, "root") as connection, pytest.raises(HostRefused) as caught:
        channel.exchange(connection, request(), lambda _: None)
    said = str(caught.value)
    assert "did not begin our command (exit 0), and says nothing" in said
    assert "~/.bashrc" in said
