"""Programs on a host: what they print is kept to a bound, and what ends them ends all of it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from nodriza.agent.answers import listing
from nodriza.agent.journal import Journal
from nodriza.host import program
from nodriza.host.errors import HostError
from nodriza.host.host import Host
from nodriza.host.line import LONGEST, RECORD, EventStream
from nodriza.host.redact import Redactor
from nodriza.host.system import os_release
from tests.memory import Peak

ENV = {"PATH": os.environ["PATH"]}


def run(script: str, *, timeout: float = 20, data: bytes = b"") -> program.Done:
    return program.run(["sh", "-c", script], input=data, env=ENV, cwd="/", timeout=timeout)


def living(mark: str) -> list[str]:
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            argv = Path(f"/proc/{name}/cmdline").read_bytes().decode("utf-8", "replace")
            state = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if mark in argv and state != "Z" and int(name) != os.getpid():
            found.append(argv)
    return found


def test_program__has_its_input_output_and_exit_code() -> None:
    assert run("cat; echo err >&2; exit 3", data=b"in") == (3, "in", "err\n")
    assert run("cat") == (0, "", "")


def test_input__is_in_no_file_that_has_a_name() -> None:
    assert "memfd" in run("readlink /proc/self/fd/0", data=b"secret").out


def test_long_output__has_its_beginning_its_end_and_takes_little_memory() -> None:
    peak = Peak()
    long = "echo first; head -c 300000000 /dev/zero | tr '\\0' x; echo; echo last"
    done = run(f"{long}; {{ {long}; }} >&2")
    for text in (done.out, done.err):
        assert text.startswith("first\n")
        assert text.endswith("last\n")
        assert " bytes left out …]" in text
        assert len(text) < 3 * program.HALF
    assert peak.grown < 32 * program.HALF


def test_child_that_holds_the_output_open__holds_nobody_up() -> None:
    began = time.monotonic()
    assert run("sleep 61.25 & echo started").out == "started\n"
    assert time.monotonic() - began < 10
    os.system("pkill -f 'sleep 61[.]25'")


def test_program_that_closes_its_output__is_waited_for() -> None:
    assert run("exec >&- 2>&-; sleep 0.3; exit 4").exit == 4


FAMILY = """
trap '' TERM
sleep {0}.1 &
(setsid sh -c "trap '' TERM; sleep {0}.2; sleep {0}.3" &)
(nohup setsid setsid sleep {0}.4 >/dev/null 2>&1 </dev/null &)
python3 -c "
import os, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
os.execvp('sleep', ['sleep', '{0}.5'])"
sleep {0}.6
"""


def test_time_out__ends_the_program_and_all_that_it_started_however_it_hid() -> None:
    mark = f"{62_000_000 + os.getpid()}"
    began = time.monotonic()
    with pytest.raises(program.Late):
        run(FAMILY.format(mark), timeout=1)
    assert living(f"{mark}.") == []
    assert time.monotonic() - began < 10


def test_time_out__is_told_by_the_host_in_words() -> None:
    with pytest.raises(HostError, match="sleep 30: no end after 0 s"):
        Host().run(["sleep", "30"], timeout=0.3)


def test_program_that_prints_for_ever__ends_with_its_time() -> None:
    with pytest.raises(program.Late):
        run("yes", timeout=0.5)


def test_file__that_is_too_long_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    with (tmp_path / "etc" / "os-release").open("wb") as file:
        file.truncate(10**9)
    peak = Peak()
    with pytest.raises(HostError, match="/etc/os-release has more than 65536 bytes"):
        os_release(Host(str(tmp_path)))
    assert peak.grown < 10 * 2**20


def test_pipe_in_the_place_of_a_file__is_no_file_and_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert Host(str(tmp_path)).read("/pipe") is None


def test_listing__of_too_much_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nodriza.agent.answers.MOST", 5)
    host = Host(str(tmp_path))
    for number in range(6):
        (tmp_path / str(number)).touch()
    with pytest.raises(HostError, match="more than 5 paths match"):
        listing(host, Journal(host, "run"), (), ["/*"])


def test_history__is_told_within_bounds_the_newest_in_full(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    long = {f"file:/{n}": {"status": "failed", "words": "w" * 500, "gap": {}} for n in range(100)}
    for number in range(40):
        (tmp_path / str(number)).touch()
        journal = Journal(host, f"202601{number:02}T000000Z-0a1b2c")
        journal.keep(f"/{number}")
        journal.remember({"counts": {}}, long)
    told = Journal(host, "now").history()
    assert len(told) == 40
    assert "resources" in told[0]
    assert "resources" not in told[-1]
    assert told[-1]["kept"][0]["path"] == "/0"


@pytest.mark.parametrize("damage", ["{", "[]", "[" * 100_000, "null", '"x"'])
def test_damaged_record_of_the_past__hides_no_other(tmp_path: Path, damage: str) -> None:
    host = Host(str(tmp_path))
    for number in range(2):
        journal = Journal(host, f"2026010{number}T000000Z-0a1b2c")
        journal.keep("/x")
        journal.remember({}, {})
    (tmp_path / "var/lib/nodriza/runs/20260100T000000Z-0a1b2c/run.json").write_text(damage)
    (tmp_path / "var/lib/nodriza/last.json").write_text(damage)
    journal = Journal(host, "now")
    assert [each["run"] for each in journal.history()] == ["20260101T000000Z-0a1b2c"]
    assert journal.last_run() is None


def test_damaged_debt__is_never_taken_for_none(tmp_path: Path) -> None:
    host = Host(str(tmp_path))
    journal = Journal(host, "20260101T000000Z-0a1b2c")
    journal.owe("service:nginx", "reload", None, "now")
    (tmp_path / "var/lib/nodriza/owed/service%3Anginx.json").write_text("{")
    with pytest.raises(HostError, match="is damaged"):
        journal.owed("service:nginx")


class Stream:
    def __init__(self) -> None:
        self.said = b""

    def write(self, data: bytes) -> None:
        self.said += data

    def flush(self) -> None:
        pass


def emitted(**more: object) -> bytes:
    stream = Stream()
    line = EventStream(stream, Redactor({}), {})  # type: ignore[arg-type]
    rest = {"status": "failed", "gap": {}, "diff": "", "words": "", "seconds": 0.0}
    line.emit({"event": "resource", "id": "file:/a", **rest, **more})
    return stream.said


def test_event__is_short_whatever_it_is_about() -> None:
    for much in (RECORD // 4, 10**7):  # less than a record takes, and more
        said = emitted(words="w" * much, diff="d\n" * much)
        assert len(said) < 2 * sum(LONGEST.values())
        event = json.loads(said[1:])
        assert (event["event"], event["id"]) == ("resource", "file:/a")
        assert event["words"].startswith("www")
        assert event["words"].endswith("www")
    said = emitted(gap={"x": ["v" * 2 * RECORD, ""]})
    assert len(said) < 1000
    assert b'"event": "error"' in said


def test_event__can_be_read_whatever_bytes_a_name_has() -> None:
    assert emitted(id="file:/\udcff").decode()


def test_long_program__gives_a_sign_of_life(monkeypatch) -> None:
    monkeypatch.setattr(program, "SIGN", 0.05)
    signs: list[int] = []
    argv = ["sh", "-c", "sleep 0.5"]
    program.run(argv, input=b"", env=ENV, cwd="/", timeout=None, alive=lambda: signs.append(1))
    assert 2 <= len(signs) <= 10
