"""What a login does before our script is no part of it, and no success of it: over real SSH."""

from __future__ import annotations

import io
import os
import threading
import time

import pytest

from nodriza.errors import HostRefused, NodrizaError
from nodriza.ssh import channel, commands, script
from nodriza.ssh.raw_command import Raw
from nodriza.ssh.script import Mark, Script, output
from tests.unit.ssh.test_channel_to_a_host import Entered, request
from tests.unit.sshd import Sshd, logged_in

BYTES = bytes(range(256)) * 300
PRINTS = "echo Welcome; echo 'motd: 3 updates' >&2"
ENDS = {
    "exit 0": "exit 0",
    "prints, exit 0": f"{PRINTS}; exit 0",
    "another program that does nothing": "exec true",
    "prints what it got": "echo printf %s nodriza-begins-; exit 0",
}


@pytest.fixture
def run(monkeypatch, three_node):
    """A command on one node, whose login does something first."""

    def run(login: str, line: str, **options):
        with logged_in(Sshd(login=login)) as connection:
            monkeypatch.setattr(commands, "connect", lambda *_: Entered(connection))
            kind = Raw if "out" in options else commands.Everywhere
            going = kind(three_node, {"server-2": line}, **options)
            lines = [heard[1] for heard in going.lines() if heard]
        return lines, going.ended["server-2"]

    return run


@pytest.mark.parametrize("login", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("raw", [False, True], ids=["lines", "raw"])
def test_login_that_ends_before_the_command__is_no_success_of_it(run, login, raw):
    out = io.BytesIO()
    lines, ended = run(login, "echo ran", **({"out": out} if raw else {}))
    assert lines == []
    assert out.getvalue() == b""
    assert isinstance(ended.error, NodrizaError)
    assert "did not begin our command (its login ended first (exit 0))" in str(ended.error)
    assert "~/.bashrc" in ended.error.do
    if "Welcome" in login:
        assert "Welcome" in str(ended.error)
        assert "motd: 3 updates" in str(ended.error)


def test_what_a_login_prints__is_no_part_of_a_dump(run, tmp_path):
    (tmp_path / "bytes").write_bytes(BYTES)
    out = io.BytesIO()
    _, ended = run(f"{PRINTS}; printf nodriza-begins-", f"cat {tmp_path}/bytes", out=out)
    assert out.getvalue() == BYTES
    assert ended.exit == 0
    assert ended.error is None


def test_what_a_login_prints__is_no_line_of_the_command(run):
    lines, ended = run("echo Welcome", "echo one; echo two >&2; exit 3")
    assert sorted(lines) == ["one", "two"]
    assert ended.exit == 3


def test_login_that_reads__has_nothing_of_what_the_command_reads(run, monkeypatch):
    """``read`` in a .bashrc would take the first line of a dump that is being loaded."""
    monkeypatch.setattr(script, "LOGIN", 1)
    reading, writing = os.pipe()
    os.write(writing, b"drop everything\n")
    os.close(writing)
    lines, ended = run('read -r line; eval "$line"; echo did $line', "cat", stdin=reading)
    os.close(reading)
    assert lines == []
    assert "did not begin our command (1 s passed)" in str(ended.error)


def test_login_that_never_ends_or_prints_for_ever__is_not_waited_for(run, monkeypatch):
    monkeypatch.setattr(script, "LOGIN", 1)
    began = time.monotonic()
    assert "1 s passed" in str(run("echo hm; sleep 60", "true")[1].error)
    assert "1 s passed" in str(run("while sleep 0.1; do echo .; done", "true")[1].error)
    monkeypatch.setattr(script, "LOGIN", 30)
    monkeypatch.setattr(script, "MOST", 100_000)
    assert "it printed over" in str(run("yes", "true")[1].error)
    assert time.monotonic() - began < 20


def test_ctrl_c__ends_a_command_that_has_not_begun(monkeypatch, three_node):
    with logged_in(Sshd(login="sleep 60")) as connection:
        monkeypatch.setattr(commands, "connect", lambda *_: Entered(connection))
        monkeypatch.setattr(commands, "KIND", 0.2)
        going = commands.Everywhere(three_node, {"server-2": "true"})
        threading.Timer(0.5, going.stopped.set).start()
        began = time.monotonic()
        assert list(going.lines()) == []
    assert time.monotonic() - began < 10
    assert going.ended["server-2"].error is None
    assert going.ended["server-2"].exit == -1


@pytest.mark.parametrize("login", ENDS.values(), ids=ENDS)
def test_answer_of_a_node__is_none_if_its_login_ended(login):
    refused = pytest.raises(HostRefused, match="did not begin our command")
    with logged_in(Sshd(login=login)) as connection, refused:
        output(connection, "true", "", seconds=10, most=1000)


def test_answer_of_a_node__is_what_the_program_says():
    with logged_in(Sshd(login="echo Welcome")) as connection:
        done = output(connection, "echo 7; echo no >&2; exit 2", "", seconds=10, most=1000)
    assert done == (2, "7\n", "no")


@pytest.mark.parametrize("login", ENDS.values(), ids=ENDS)
def test_run__that_never_began_is_no_success(login):
    refused = pytest.raises(HostRefused, match="did not begin our command")
    with logged_in(Sshd(login=login)) as connection, refused:
        channel.exchange(connection, request(), lambda _: None)


@pytest.mark.parametrize("size", [1, 2, 7, 46, 47, 48, 1000])
def test_mark__is_found_however_it_is_cut(size):
    mark = Mark()
    data = b"nodriza-begins-nodriza-begins" + mark.word.encode() + b"own nodriza-begins-"
    parts = [mark.part(data[at : at + size]) for at in range(0, len(data), size)]
    assert b"".join(own for _, own in parts) == b"own nodriza-begins-"
    assert b"".join(login for login, _ in parts) == b"nodriza-begins-nodriza-begins"


def test_mark__is_another_each_time():
    assert Mark().word != Mark().word


def test_question_at_a_terminal__is_shown_at_once():
    """sudo's, which comes before the mark."""
    assert Mark().part(b"[nodriza] sudo password: ") == (b"[nodriza] sudo password: ", b"")


def test_script__is_heard_without_what_came_before():
    with logged_in(Sshd(login="echo Welcome")) as connection:
        started = Script(connection, "echo hello")
        assert started.wait()
        assert started.recv(100) == b"hello\n"
