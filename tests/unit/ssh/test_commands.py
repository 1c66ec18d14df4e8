"""The command that stands around what an operator runs on hosts, started here without SSH."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time

from nodriza.ssh.commands import DATA, END, GUARD
from tests.running import running


def guarded(command: str) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    return running(["sh", "-c", GUARD, "sh", command], stdin=subprocess.PIPE)


def send(process: subprocess.Popen[str], *parts: str) -> None:
    """What the command reads, in these parts."""
    for part in parts:
        process.stdin.write(DATA.format(len(part.encode())) + part)
    process.stdin.write(END.decode())
    process.stdin.flush()


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_command__has_its_output_and_exit_code_while_stdin_stays_open():
    with guarded("echo out; echo err >&2; exit 7") as process:
        assert process.wait(10) == 7
        assert process.stdout.read() == "out\n"
        assert process.stderr.read() == "err\n"


def test_command__finds_nothing_on_its_stdin():
    with guarded("cat; echo done") as process:
        send(process)
        assert process.wait(10) == 0
        assert process.stdout.read() == "done\n"


def test_command__begins_and_ends_whatever_the_login_says_of_programs(tmp_path, monkeypatch):
    """/etc/environment, or a user's own: another PATH, a file for bash, a function named cat."""
    (tmp_path / "always").write_text("echo noise; exit 9\n")
    monkeypatch.setenv("BASH_ENV", str(tmp_path / "always"))
    monkeypatch.setenv("BASH_FUNC_cat%%", "() { echo noise; }")
    script = f"PATH={tmp_path}\n{GUARD}"
    line = ["sh", "-c", script, "sh", 'read -r line; echo "$line $PATH"']
    with running(line, stdin=subprocess.PIPE) as process:
        send(process, "hello\n")
        assert process.wait(10) == 0
        assert process.stdout.read() == f"hello {tmp_path}\n"
        assert process.stderr.read() == ""


def test_end_of_stdin__ends_the_command_and_all_that_it_started():
    with guarded("sleep 60 & echo $!; sleep 60; echo never") as process:
        grandchild = int(process.stdout.readline())
        assert is_there(grandchild)
        process.stdin.close()
        assert process.wait(10) == 128 + 15
        assert process.stdout.read() == ""
        for _ in range(50):
            if not is_there(grandchild):
                break
            time.sleep(0.1)
        assert not is_there(grandchild)


def test_command__reads_what_is_sent_byte_for_byte_and_its_end():
    text = "nodriza-end\nnodriza-data 3\n" + "ä\x00\x01\n" * 50_000
    with guarded("cat; echo done") as process:
        reader = threading.Thread(target=send, args=(process, text[:7], "", text[7:]))
        reader.start()
        said = process.stdout.read()
        assert process.wait(10) == 0
        reader.join()
    assert said == text + "done\n"


def test_line_of_a_password_that_nobody_asked_for__is_no_part_of_it():
    with guarded("cat") as process:
        process.stdin.write("s3cret word\n")
        send(process, "data\n")
        assert process.wait(10) == 0
        assert process.stdout.read() == "data\n"


def test_command_that_reads_but_a_part__ends_when_it_likes():
    closed = contextlib.suppress(BrokenPipeError)  # once more when its pipe is closed here
    with closed, guarded("head -c 3; echo") as process:
        with contextlib.suppress(BrokenPipeError):
            send(process, *["x" * 65536] * 40)
        assert process.wait(10) == 0
        assert process.stdout.read() == "xxx\n"


def test_end_of_stdin_in_the_middle_of_a_part__ends_the_command():
    with guarded("cat >/dev/null; sleep 60; echo never") as process:
        process.stdin.write(DATA.format(100) + "half")
        process.stdin.close()
        assert process.wait(10) == 128 + 15
        assert process.stdout.read() == ""


def test_end_of_stdin__lets_a_command_tidy_up_and_waits_for_its_exit_code():
    with guarded("trap 'sleep 0.3; echo tidy; exit 3' TERM; echo up; sleep 60 & wait") as process:
        assert process.stdout.readline() == "up\n"
        process.stdin.close()
        assert process.wait(10) == 3
        assert process.stdout.read() == "tidy\n"


def test_command_that_ended__leaves_what_it_put_into_the_background():
    with guarded("sleep 20 >/dev/null 2>&1 & echo $!") as process:
        assert process.wait(10) == 0
        left = int(process.stdout.readline())
        process.stdin.close()
        time.sleep(0.5)
        assert is_there(left)
        os.kill(left, 9)


def test_command__is_begun_by_a_shell_that_reads_no_bashrc(tmp_path, monkeypatch):
    """bash does where SSH_CLIENT is set, once for sshd and once more for each bash in it."""
    (tmp_path / ".bashrc").write_text("echo noise; exit 0\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SSH_CLIENT", "198.18.7.1 40000 22")
    monkeypatch.setenv("SHLVL", "0")
    with guarded("echo ran") as process:
        send(process)
        assert process.wait(10) == 0
        assert process.stdout.read() == "ran\n"
