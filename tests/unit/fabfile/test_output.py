"""What reaches a reader: in any locale, through a pipe that closes, on a narrow screen."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

from tests.unit.conftest import ROOT
from tests.unit.fabfile.test_commands import FAB

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
READING = [
    ["--list"],
    ["--help", "hostkeys.accept"],
    ["plan"],
    ["plan", "--json"],
    ["inventory.check"],
    ["inventory.schema"],
    ["status"],
    ["smoke"],
    ["no-such-command"],
    ["plan:s\u00e9rver-2"],
]
STATUS = """
from pathlib import Path
from fabfile.output import prepare
prepare()
from nodriza.watch import status
from nodriza.errors import ConnectionFailed
from nodriza.inventory import load_cluster
from nodriza.report.result import NodeResult
from nodriza.resources import Health

state = {
    "links": {"/opt/videoteca/current": "/srv/videoteca/releases/20261121-081500-abcdef"},
    "uptime": 90000, "load": 0.52, "memory": 41, "disk": 12, "owed": [], "clock": 1.0,
    "mounts": {"/srv/videoteca": 40}, "certificates": {}, "marks": {Health.AWAY: []}, "health": {},
    "reboot": "",
    "system": "Debian", "versions": {"nginx": "1.22.1-9"},
    "last_run": {"when": "2026-11-21T08:15:00Z", "who": "root@operator", "what": "provision",
                 "counts": {"changed": 3, "failed": 0}},
}
facts = {"event": "facts", "state": state}
owing = {**facts, "state": {**state, "owed": ["service:uwsgi"]}}
well = [{"id": "service:nginx", "status": "ok"}] * 7
down = [{"id": "service:nginx", "status": "changed"}]
results = {
    "server-1": NodeResult("server-1", facts=facts, received=1.0, resources=well),
    "server-2": NodeResult("server-2", facts=owing, received=1.0, resources=down),
    "video-1": NodeResult("video-1", error=ConnectionFailed("\u2039no way\u203a to 198.18.7.21")),
}
status.show(load_cluster(Path("inventories/three-node.yml")), results)
"""
REPORT = """
from fabfile.output import prepare
prepare()
from nodriza.report import make_report
from nodriza.report.result import NodeResult
from nodriza.resources import Health

report = make_report("live", diff=True)
report.start([("server-2", 2)])
change = {"event": "resource", "id": "file:/etc/a", "kind": "file", "status": "changed",
          "gap": {"mode": ["0644", "0600"]}, "words": "", "seconds": 0.0,
          "diff": "-a\\n+\u2039secret:redis\u203a \u00e9"}
report.event("server-2", change)
result = NodeResult("server-2", changed=1, resources=[change])
report.done("server-2", result)
report.finish({"server-2": result}, 1.0, False)
"""


def run(argv, **env):
    return subprocess.run(
        [str(word) for word in argv],
        cwd=ROOT,
        env={**os.environ, "NODRIZA_LAB_STATE": "/nonexistent", **env},
        capture_output=True,
        timeout=60,
        check=False,
    )


def on_terminal(argv, columns, **env):
    """What a program writes to a terminal of that width."""
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    program = subprocess.Popen(
        [str(word) for word in argv],
        cwd=ROOT,
        env={
            **{k: v for k, v in os.environ.items() if k not in ("COLUMNS", "CI", "NO_COLOR")},
            "NODRIZA_LAB_STATE": "/nonexistent",
            "TERM": "xterm-256color",
            **env,
        },
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
    )
    os.close(inner)
    seen = b""
    try:
        while chunk := os.read(outer, 65536):
            seen += chunk
    except OSError:  # Linux's way to say that nobody has it open any more
        pass
    os.close(outer)
    program.wait(60)
    return seen.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_no_locale__everything_is_said_in_ascii(words):
    done = run([FAB, *words], **ASCII)
    said = (done.stdout + done.stderr).decode("ascii")
    assert done.returncode in (0, 2)
    assert len(said) > 50
    assert "Traceback" not in said
    assert "--json" in words or "\\u" not in said  # there it is how JSON has it


def test_no_locale__a_plan_for_machines_loses_nothing():
    plain = json.loads(run([FAB, "plan", "--json"], **ASCII).stdout)
    assert plain == json.loads(run([FAB, "plan", "--json"], PYTHONUTF8="1").stdout)
    assert "\u2039secret:redis\u203a" in str(plain)


def test_no_locale__rendered_files_are_the_same(tmp_path):
    for name, env in (("ascii", ASCII), ("utf-8", {"PYTHONUTF8": "1"})):
        assert run([FAB, "render", "--output", tmp_path / name], **env).returncode == 0
    assert run(["diff", "-r", tmp_path / "ascii", tmp_path / "utf-8"]).returncode == 0


def test_no_locale__an_inventory_with_other_letters_is_read_and_told(tmp_path):
    text = (ROOT / "inventories" / "three-node.yml").read_text("utf-8")
    text = text.replace("../examples", f"{ROOT}/examples").replace(
        "videoteca.test", "ni\u00f1o.test"
    )
    (tmp_path / "inventories").mkdir()
    (tmp_path / "inventories" / "mine.yml").write_text(text, encoding="utf-8")
    (tmp_path / "fabfile.py").write_text("from nodriza.fabfile import ns\n")
    done = subprocess.run(
        [FAB, "plan"], cwd=tmp_path, env={**os.environ, **ASCII}, capture_output=True, check=False
    )
    assert done.returncode == 2
    assert b'domain: "ni?o.test" must be written as DNS has it: "xn--nio-8ma.test"' in done.stderr


@pytest.mark.parametrize("words", READING[:6], ids=" ".join)
@pytest.mark.parametrize(("reader", "unbuffered"), [("true", ""), ("head -1", "1")])
def test_closed_pipe__ends_quietly(words, reader, unbuffered):
    line = f"{FAB} {' '.join(words)} | {reader} >/dev/null; exit ${{PIPESTATUS[0]}}"
    done = run(["bash", "-c", line], PYTHONUNBUFFERED=unbuffered)
    assert done.stderr == b""
    assert done.returncode in (0, 1, 141)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_stream__is_one_that_goes_nowhere(tmp_path, closed):
    """A file that is opened next would get its number, and what is printed."""
    picture = tmp_path / "made.svg"
    done = run(["bash", "-c", f"exec {FAB} topology --output {picture} plan:server-2 {closed}"])
    assert (done.returncode, done.stderr) == (0, b"")
    assert picture.read_text().endswith("</svg>\n")
    assert (b"file:/etc/hosts" in done.stdout) == (">&-" not in closed.replace("2>&-", ""))


@pytest.mark.parametrize("program", [STATUS, REPORT])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_closed_pipe__ends_status_and_the_report_quietly(program, unbuffered):
    line = '"$0" -c "$1" | true'
    done = run(["bash", "-c", line, sys.executable, program], PYTHONUNBUFFERED=unbuffered)
    assert done.stderr == b""


def test_closed_pipe__does_not_end_work():
    program = (
        "from fabfile.output import prepare, say; import sys, time; prepare()\n"
        "for n in range(5): say(f'step {n}'); time.sleep(0.05)\n"
        "print('done to the end', file=sys.stderr)"
    )
    done = run(["bash", "-c", '"$0" -c "$1" | true', sys.executable, program])
    assert done.stderr == b"done to the end\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", READING[:6], ids=" ".join)
def test_full_disk__is_told_without_a_traceback(words, unbuffered):
    line = f"exec {FAB} {' '.join(words)} >/dev/full"
    done = run(["bash", "-c", line], PYTHONUNBUFFERED=unbuffered)
    assert done.stderr == b"the output can't be written: No space left on device\n"
    assert done.returncode == 1


@pytest.mark.parametrize("kind", ["plain", "json", "live"])
def test_full_disk__does_not_end_a_run(kind):
    program = REPORT.replace('"live"', f'"{kind}"') + "\nimport sys; sys.exit(3)"
    done = run(["bash", "-c", 'exec "$0" -c "$1" >/dev/full', sys.executable, program])
    assert done.stderr.decode() == (
        "the output can't be written: No space left on device\n"
        "  kept: the run goes on; its exit code tells\n"
    )
    assert done.returncode == 3


def test_error_that_is_no_closed_pipe__still_has_its_traceback():
    program = "from fabfile.output import prepare; prepare(); raise BrokenPipeError('a socket')"
    assert b"BrokenPipeError: a socket" in run([sys.executable, "-c", program]).stderr


def test_forty_columns__status_shows_every_node_and_what_is_wrong():
    said = on_terminal([sys.executable, "-c", STATUS], 40)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said)
    assert max(len(line.rstrip()) for line in plain.splitlines()) <= 40
    for words in (
        "server-1\n",
        "7 of 7 well",
        "service:uwsgi is owed",
        "video-1\n",
        "\u2039no way",
    ):
        assert words in re.sub(r" +\n", "\n", plain)
    assert "20261121-081500-abcdef" in plain


def test_forty_columns__a_plan_has_its_long_lines_in_two():
    said = on_terminal([FAB, "plan:server-2"], 40)
    assert "\n  package:nginx\n      roles/nginx.py:" in said
    assert "\n  package:nginx   " in run([FAB, "plan:server-2"]).stdout.decode()


@pytest.mark.parametrize("words", [["--list"], ["inventory.check"], ["plan:nobody"]], ids=" ".join)
def test_forty_columns__nothing_breaks(words):
    said = on_terminal([FAB, *words], 40)
    assert len(said) > 100
    assert "Traceback" not in said


@pytest.mark.parametrize("program", [STATUS, REPORT])
def test_no_color__is_heeded(program):
    coloured = re.compile(r"\x1b\[[0-9;]*(3[0-7]|9[0-7])m|\x1b\[(3[0-7]|9[0-7])")
    argv = [sys.executable, "-c", program]
    assert coloured.search(on_terminal(argv, 100))
    assert not coloured.search(on_terminal(argv, 100, NO_COLOR="1"))


@pytest.mark.parametrize("program", [STATUS, REPORT.replace('"live"', '"auto"')])
def test_dumb_terminal__gets_text_and_nothing_else(program):
    assert "\x1b" not in on_terminal([sys.executable, "-c", program], 100, TERM="dumb")
    assert "\x1b" not in run([sys.executable, "-c", program]).stdout.decode()


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_pipe__gets_no_escapes(words):
    done = run([FAB, *words], TERM="xterm-256color")
    assert b"\x1b" not in done.stdout + done.stderr
