"""A password, and behind it what a command reads, down one pipe: where there is no terminal."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.fabfile import test_commands
from tests.unit.ssh.test_channel_to_a_host import SUDO
from tests.unit.sshd import KEY, Sshd, listening

project = test_commands.project
Done = subprocess.CompletedProcess[bytes]
DUMP = bytes(range(256)) * 200
"""More than anybody reads at once, and no text."""


@pytest.fixture
def fab(project: Path) -> Iterator[Callable[..., Done]]:
    """``fab WORDS`` with this on its stdin, and a host where sudo notes its password."""
    (project / "sudo").write_text(SUDO)
    (project / "sudo").chmod(0o755)
    (project / ".ssh").mkdir(mode=0o700)
    KEY.write_private_key_file(str(project / ".ssh" / "id_ecdsa"))
    file = project / "inventories" / "mine.yml"
    sshd = Sshd({"NOTES": str(project)}, stand_ins={"/usr/bin/sudo": f"{project}/sudo"})

    def run(*words: str, stdin: bytes) -> Done:
        with listening(sshd) as port:
            text = file.read_text().split("\nlab:")[0]
            file.write_text(f"{text}\nssh: {{user: admin, host: 127.0.0.1, port: {port}}}\n")
            (project / "inventories" / "mine.known_hosts").write_text(
                f"[127.0.0.1]:{port} {KEY.get_name()} {KEY.get_base64()}\n"
            )
            return subprocess.run(
                [test_commands.FAB, *words],
                cwd=project,
                input=stdin,
                capture_output=True,
                env={**os.environ, "HOME": str(project)},
                start_new_session=True,  # without a terminal
                timeout=60,
                check=False,
            )

    return run


def test_piped_password__takes_no_byte_of_what_the_command_reads(project, fab):
    words = ("--prompt-for-sudo-password", "run:server-2", "--sudo", "--raw", "cat")
    done = fab(*words, stdin=b"s3cret word\n" + DUMP)
    assert (done.returncode, done.stdout) == (0, DUMP)
    assert (project / "password").read_text() == "s3cret word\n"


@pytest.mark.parametrize(
    ("stdin", "words"),
    [
        (b"", "nobody is there to type a password"),
        (b"\xff\n" + DUMP, "is to be the password, and is no UTF-8"),
        (b"x" * 5000, "is to be the password, and has 1024 bytes"),
    ],
    ids=["nothing", "no text", "too long"],
)
def test_what_can_be_no_password__is_refused_before_a_host_is_asked(fab, project, stdin, words):
    done = fab("--prompt-for-sudo-password", "run:server-2", "--sudo", "cat", stdin=stdin)
    assert done.returncode == 2
    assert words in done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert not (project / "password").exists()
