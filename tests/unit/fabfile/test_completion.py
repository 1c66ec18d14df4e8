"""The tabulator key: real shells complete what the inventory has, and no host is asked."""

from __future__ import annotations

import os
import pty
import re
import resource
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.conftest import ROOT

BIN = Path(sys.executable).parent
NODES = {"server-1", "server-2", "server-3", "video-1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A cluster's folder with two inventories and a task of one's own."""
    (tmp_path / "inventories").mkdir()
    text = (
        (ROOT / "inventories/three-node.yml")
        .read_text()
        .replace("../examples", f"{ROOT}/examples")
    )
    for name in ("three-node", "other"):
        (tmp_path / f"inventories/{name}.yml").write_text(text)
    own = "@task\ndef greet(c):\n    pass\n"
    (tmp_path / "fabfile.py").write_text(
        f"from fabric import task\nfrom nodriza.fabfile import ns\n\n\n{own}"
    )
    return tmp_path


def environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": f"{BIN}:/usr/bin:/bin",
        "HOME": str(folder),
        "TERM": "dumb",
        "NODRIZA_LAB_STATE": str(folder / "lab"),
        "PYTHONPATH": str(ROOT),
    }


def offered(folder: Path, *words: str) -> list[str]:
    """What the program itself answers."""
    done = subprocess.run(
        [BIN / "fab", "--complete", "--", *words],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return [line.partition("\t")[0] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("words", "some"),
    [
        (["pro"], ["provision"]),
        (["gre"], ["greet"]),
        (["oth"], ["other"]),
        (["other", "secrets.re"], ["secrets.readers", "secrets.rekey", "secrets.remove"]),
        (["other", "drain:vid"], ["drain:video", "drain:video-1", "drain:videos"]),
        (["other", "drain", "server-"], ["server-1", "server-2", "server-3", "server-n"]),
        (["other", "drain:server-2,server-"], ["server-1", "server-3", "server-n"]),
        (["other", "provision", "--target=vid"], ["video", "video-1", "videos"]),
        (["other", "provision", "--target", "video-"], ["video-1"]),
        (["-H", "video-"], []),  # of two inventories none is taken by chance
        (["other", "restart", "--unit", "ngi"], ["nginx"]),
        (["other", "logs", "--since", "1"], ["15m", "1h", "1d"]),
        (["lab.up", "--driver", ""], ["nspawn", "vagrant"]),
        (["other", "restart:server-2", "--u"], ["--unit"]),
        (["topology", "--output", ""], []),  # the shell's own files
        (["no-such-thing:"], []),
        (["--print-comp"], ["--print-completion-script"]),
    ],
)
def test_word__is_completed_by_what_there_is(folder, words, some):
    found = offered(folder, *words)
    before = "drain:server-2," if words[-1].startswith("drain:server-2,") else ""
    before = "--target=" if words[-1].startswith("--target=") else before
    assert sorted(found) == sorted(before + each for each in some)


def test_command_that_needs_a_target__is_followed_by_targets_only(folder):
    assert {*offered(folder, "other", "drain", "")} >= NODES
    assert "plan" not in offered(folder, "other", "drain", "")
    assert {"plan", "server-2"} <= {*offered(folder, "other", "provision", "")}
    assert "three-node" not in offered(folder, "other", "")


def test_secrets__are_those_that_the_inventory_asks_for_and_those_that_there_are(folder):
    inventory = folder / "inventories/other.yml"
    text = inventory.read_text().replace("app:\n", "app:\n  secrets: [SENTRY_DSN]\n", 1)
    inventory.write_text(text)
    assert offered(folder, "other", "secrets.set", "") == ["sentry_dsn"]
    assert not (folder / ".config").exists()


def test_inventory__with_a_mistake_in_it_is_no_traceback(folder):
    (folder / "inventories/other.yml").write_text("nodes: [")
    assert offered(folder, "other", "drain", "") == []
    (folder / "inventories/other.yml").write_text("nodes: {a: 1, 'b-[2:1]': }")
    assert "a" in offered(folder, "other", "drain", "")


def test_targets__come_at_once(folder):
    """In seconds of the processor: they are the same on a machine that is busy."""

    def spent() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    took = []
    for _ in range(3):
        before = spent()
        offered(folder, "other", "provision:server-")
        took.append(spent() - before)
    assert min(took) < 0.4


class Shell:
    """A real shell at a terminal, with the script switched on as the page says."""

    def __init__(self, folder: Path, *argv: str) -> None:
        process, self.line = pty.fork()
        if process == 0:
            os.chdir(folder)
            os.execvpe(argv[0], list(argv), environment(folder))
        self.process = process
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self.line, text.encode())

    def expect(self, pattern: str, seconds: float = 40) -> None:
        until = time.monotonic() + seconds
        while not re.search(pattern, self.seen):
            left = until - time.monotonic()
            assert left > 0, f"no {pattern} in {self.seen!r}"
            if select.select([self.line], [], [], left)[0]:
                self.seen += os.read(self.line, 4096).decode("utf-8", "replace")
                self.seen = self.seen.replace("\x07", "")

    def end(self) -> None:
        os.close(self.line)
        os.kill(self.process, 9)
        os.waitpid(self.process, 0)


SHELLS = {
    "bash": ("bash", "--norc", "--noprofile", "-i"),
    "zsh": ("zsh", "-f", "-i"),
}


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, folder: Path) -> Iterator[Shell]:
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")
    made = Shell(folder, *SHELLS[request.param])
    made.type("PS1='ready> '\n")
    made.type(f'eval "$(nodriza --print-completion-script {request.param})"; echo on"-"now\n')
    made.expect("on-now")
    yield made
    made.end()


def test_key__completes_a_target_behind_a_colon_and_behind_a_comma(shell):
    shell.type("echo fab >/dev/null; fab other provision:vid\t")
    shell.expect(r"provision:video")
    shell.type("-\t")
    shell.expect(r"provision:video-1")
    shell.type("\x15fab other provision:server-1,video-\t")
    shell.expect(r"provision:server-1,video-1")
    shell.type("\x15nodriza other secrets.rem\t")
    shell.expect(r"secrets\.remove ")


def test_fish__completes_with_its_own_machinery(folder):
    if not shutil.which("fish"):
        pytest.skip("fish is not installed")
    script = "nodriza --print-completion-script fish | source; complete -C "
    for line, wanted in (
        ("fab other provision:vid", "provision:video-1"),
        ("fab other drain ", "server-2"),
        ("fab other restart --unit ngi", "nginx"),
    ):
        done = subprocess.run(
            ["fish", "--no-config", "-c", f"{script}'{line}'"],
            cwd=folder,
            env=environment(folder),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert wanted in [each.partition("\t")[0] for each in done.stdout.splitlines()], done


def test_shell__that_is_not_known_is_refused_with_those_that_are():
    done = subprocess.run(
        [BIN / "nodriza", "--print-completion-script", "bsh"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "choose from bash, zsh, fish" in done.stderr
