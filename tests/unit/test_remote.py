"""The command that stands around what an operator runs on hosts, started here without SSH."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time

from nodriza.remote import GUARD
from tests.running import running


def guarded(command: str) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    return running(["sh", "-c", GUARD, "sh", command], stdin=subprocess.PIPE)


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
        assert process.wait(10) == 0
        assert process.stdout.read() == "done\n"


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
