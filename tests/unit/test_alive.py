"""A command that is silent for long says what it waits for; one that speaks says no more."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

from tests.unit.conftest import ROOT

BEGIN = """
import sys, time
from nodriza import alive
alive.QUIET = 1
"""


def run(program: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout, done.stderr


def test_silence__is_ended_with_what_is_waited_for_as_it_is_then() -> None:
    out, err = run("""
nodes = ["server-2", "video-1"]
with alive.watched("still at work"):
    time.sleep(2.2)
    with alive.waiting(lambda: f"waiting for {alive.names(nodes)}"):
        time.sleep(1.8)
        nodes.pop()
        time.sleep(1.8)
print("done")
""")
    assert out == "done\n"
    lines = err.splitlines()
    assert re.fullmatch(r"still at work \(0:0\d\)", lines[0])
    assert "waiting for server-2, video-1 (0:0" in err
    assert re.fullmatch(r"waiting for server-2 \(0:0\d\)", lines[-1])


def test_command_that_speaks__gets_no_words_of_ours_between() -> None:
    out, err = run("""
with alive.watched("still at work"):
    for number in range(8):
        print(number, flush=True)
        time.sleep(0.4)
""")
    assert (out.split(), err) == ([*"01234567"], "")


def test_silence_that_is_expected__is_told_once() -> None:
    _, err = run("""
with alive.watched("still at work"), alive.waiting(lambda: "nothing new", once=True):
    time.sleep(4)
""")
    assert err.count("nothing new") == 1


def test_person_who_has_the_terminal__is_left_alone() -> None:
    _, err = run("""
with alive.watched("still at work"), alive.hushed():
    time.sleep(2.5)
""")
    assert err == ""


def test_reader_that_went_away__ends_nothing() -> None:
    out, _ = run("""
import os
reader, writer = os.pipe()
os.close(reader)
os.dup2(writer, 2)
with alive.watched("still at work"):
    time.sleep(2.5)
print("done")
os._exit(0 if sys.stdout.flush() is None else 1)
""")
    assert out == "done\n"


def test_terminal__shows_who_has_answered_from_the_first_second_on_and_is_clean_afterwards() -> (
    None
):
    outer, inner = pty.openpty()
    program = (
        BEGIN
        + """
with alive.watched("x"), alive.waiting(lambda: "3 of 4 nodes are done", early=True):
    time.sleep(2.6)
print("the table")
"""
    )
    env = {**{k: v for k, v in os.environ.items() if k != "CI"}, "TERM": "xterm"}
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, env=env, stdout=inner, stderr=inner
    ) as process:
        os.close(inner)
        said = b""
        try:
            while data := os.read(outer, 4096):
                said += data
        except OSError:  # a terminal that nobody writes to any more
            os.close(outer)
        process.wait(10)
    assert b"\r3 of 4 nodes are done\x1b[K" in said
    assert said.endswith(b"\r\x1b[Kthe table\r\n")


def test_every_command__is_watched_unless_a_person_has_the_terminal() -> None:
    """They are all made in one place (fabfile/session.py)."""
    for path in (ROOT / "fabfile").glob("*.py"):
        own = re.search(r"^@task\b", path.read_text(), re.MULTILINE)
        assert path.stem == "session" or not own
