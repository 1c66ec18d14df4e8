"""What is typed reaches the hosts, or is refused: flags, pipes and words on real machines."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.project import Project, wait_for

CONF = "/etc/nginx/nginx.conf"


@pytest.fixture
def changed_by_hand(deployed: Project) -> Iterator[Project]:
    """A file of a child is not as its plan says."""
    deployed.on("server-2", f"echo '# by hand' >> {CONF}")
    yield deployed
    deployed.fab("provision:server-2").well()


def files_here(project: Project) -> dict[Path, tuple[int, bytes]]:
    found = [path for path in project.folder.rglob("*") if path.is_file()]
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes())
        for path in found
        if "home" not in path.parts and "__pycache__" not in path.parts
    }


@pytest.mark.parametrize("way", ["--dry", "FABRIC_RUN_DRY", "INVOKE_RUN_DRY", "fabric.yaml"])
def test_dry__changes_no_host_and_no_file(changed_by_hand: Project, way: str) -> None:
    project = changed_by_hand
    settings = project.folder / "fabric.yaml"
    if way == "fabric.yaml":
        settings.write_text("run: {dry: true}\n")
    before = files_here(project)
    words = ["--dry"] if way == "--dry" else []
    env = {way: "1"} if way.isupper() else {}
    said = project.fab(*words, "provision", env=env).well()
    assert "would change" in said.stdout
    for line in ("run:server-2 'rm /etc/hosts'", "drain:server-2", "lab.down", "secrets.edit"):
        command = line.split(" ", 1)
        refused = project.fab(*words, *[word.strip("'") for word in command], env=env)
        assert (refused.exit, "can't be tried" in refused.stderr) == (2, True)
    assert files_here(project) == before
    settings.unlink(missing_ok=True)
    assert "by hand" in project.on("server-2", f"cat {CONF} /etc/hosts")


def test_hosts__are_the_target(deployed: Project) -> None:
    assert (
        deployed.fab("-H", "server-2", "run", "hostname")
        .well()
        .stdout.startswith("server-2 | server-2\n\n")
    )
    assert deployed.fab("-H", "nope", "run", "hostname").exit == 2


def test_identity__is_the_only_key_that_is_offered(deployed: Project) -> None:
    key = deployed.folder / "home" / "another"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    said = deployed.fab("-i", str(key), "run:server-2", "true")
    assert said.exit == 1
    assert f"refuses to let us in with the key {key}" in said.stdout


def test_what_is_piped__reaches_the_command_of_one_node(deployed: Project, tmp_path: Path) -> None:
    data = os.urandom(3_000_001)
    (tmp_path / "data").write_bytes(data)
    with (tmp_path / "data").open() as file:
        said = deployed.fab("run:server-2", "sha256sum", stdin=file).well()
    assert hashlib.sha256(data).hexdigest() in said.stdout


def test_what_is_piped__is_refused_for_several_nodes(deployed: Project, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("select 1;\n")
    with (tmp_path / "data").open() as file:
        said = deployed.fab("run", "touch /root/was-here", stdin=file)
    assert said.exit == 2
    assert "stdin can go to one node" in said.stderr
    assert deployed.on("server-2", "ls /root/was-here", check=False) == ""


def test_raw_output__is_the_same_byte_for_byte(deployed: Project) -> None:
    script = "head -c 3000001 /dev/urandom | tee /root/raw; echo err >&2; exit 4"
    done = subprocess.run(
        [deployed.program, "run:server-2", "--raw", script],
        cwd=deployed.folder,
        env=deployed._environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert b"server-2 | err\n" in done.stderr
    assert b"server-2  exit 4" in done.stderr
    there = deployed.on("server-2", "sha256sum < /root/raw; rm /root/raw").split()[0]
    assert hashlib.sha256(done.stdout).hexdigest() == there


def test_ctrl_c__ends_a_command_that_is_fed(deployed: Project) -> None:
    words = ("run:server-2", "cat >/dev/null; sleep 4712")
    with deployed.start(*words, stdin=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write("some\n")
        process.stdin.close()
        there = lambda: any("sleep\x004712" in argv for _, argv in deployed.processes("server-2"))  # noqa: E731
        wait_for("sleep", 30, there)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    wait_for("end of it", 10, lambda: not there())


def test_console_without_a_terminal__is_refused_at_once(deployed: Project) -> None:
    said = deployed.fab("console:server-2", timeout=60)
    assert said.exit == 2
    assert "console is for people at a terminal" in said.stderr
