"""A cluster that comes back: as a drill on this computer, and as docs/disaster.rst has it.

The copies of its data lie on another machine. Its rows and files are counted before and after.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodriza import lab
from nodriza.drill.cluster import COPIES
from nodriza.drill.run import ROOT as DRILLS
from tests.lab.project import FAB, Project, Result
from tests.lab.test_backup import TARGET, fill, keeper

pytestmark = pytest.mark.long
COUNTED = "select count(*), sum(crc32(s)) from written"
LISTED = f"cd {TARGET}/repository && find . -printf '%p %s %T@ %C@ %m\\n' | sort | sha256sum"
OUTSIDE = """
import socket
try:
    socket.create_connection(("{}", {}), 5)
except OSError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, times: dict[str, float]
) -> Iterator[Project]:
    project = Project.make(tmp_path_factory.mktemp("drill"), "labdrill", 62, children=1, videos=0)
    project.times = times
    del project.data["app"]["smoke"]  # it wants a video node
    with project.up():
        keeper(project)
        project.fab("provision", timeout=900).well()
        project.fab("deploy", timeout=900).well()
        fill(project)
        project.fab("backup").well()
        try:
            yield project
        finally:
            project.fab("drill", "--down")


def counted(project: Project) -> tuple[str, str]:
    """Rows and files, as numbers that any other content changes."""
    media = project.cluster.app.media
    rows = project.on("server-1", f"mariadb videoteca -NBe '{COUNTED}'")
    files = project.on("server-1", f"cd {media} && find . -type f | sort | xargs sha256sum")
    return rows, files


class Rebuilt:
    """What a drill has left with --keep."""

    def __init__(self, project: Project) -> None:
        self.folder = DRILLS / project.name
        self.name = f"{project.name}-drill"

    def on(self, node: str, script: str) -> str:
        """What it wrote, or why not."""
        env = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.folder),
            "NODRIZA_AGE_KEY_FILE": str(self.folder / "age.key"),
            "NODRIZA_INVENTORY": self.name,
        }
        done = subprocess.run(
            [str(FAB), f"run:{node}", script],
            cwd=self.folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.stdout + done.stderr

    def outside(self, address: str, port: int) -> str:
        """What a connection from the copy of the central node comes to."""
        return self.on("server-1", f"python3 -c '{OUTSIDE.format(address, port)}'")


@pytest.fixture(scope="module")
def drilled(project: Project) -> tuple[Result, Rebuilt, str]:
    before = project.on("server-2", LISTED)
    done = project.fab("drill", "--keep", timeout=1800).well()
    project.times["fab drill --keep"] = done.seconds
    return done, Rebuilt(project), before


def test_drill__rebuilds_the_cluster_and_status_tells_how_long_it_took(
    project: Project, drilled: tuple[Result, Rebuilt, str]
) -> None:
    done, rebuilt, _ = drilled
    assert "this cluster could be rebuilt on" in done.stdout
    assert "20001 rows of backup" in done.stdout
    assert "this cluster could be rebuilt on" in project.fab("status").stdout
    kept = json.loads((project.inventory.parent / f"{project.name}.drill.json").read_text())
    assert kept["last"]["rows"] == 20001
    rows = counted(project)[0].split()
    for number in rows:
        assert number in rebuilt.on("server-1", f'mariadb videoteca -NBe "{COUNTED}"')


def test_drill__leaves_the_repository_as_it_was(
    project: Project, drilled: tuple[Result, Rebuilt, str]
) -> None:
    assert project.on("server-2", LISTED) == drilled[2]
    rebuilt = drilled[1]
    assert "Read-only file system" in rebuilt.on("server-1", f"touch {COPIES}/x")
    assert "only read here" in rebuilt.on("server-1", "videoteca-backup restic forget --prune")
    assert "No such file" in rebuilt.on("server-1", "cat /etc/videoteca-backup/ssh_key")
    timers = "systemctl list-timers --all --no-legend 'videoteca*' | cat"
    assert "videoteca" not in rebuilt.on("server-1", timers)


def test_copies_of_hosts__reach_nobody(
    project: Project, drilled: tuple[Result, Rebuilt, str]
) -> None:
    rebuilt = drilled[1]
    real = project.cluster.node("server-1").private
    for address, port in ((real, 22), (real, 3306), ("192.0.2.1", 443), ("1.1.1.1", 53)):
        said = rebuilt.outside(address, port)
        assert "OSError" in said or "ConnectionRefused" in said, said
        assert "timed out" not in said
    assert project.fab("drill", "--down").well()
    assert not rebuilt.folder.exists()
    assert not Path(f"/run/netns/nodriza-{rebuilt.name}").exists()


def test_drill_without_a_backup__fails_is_remembered_and_leaves_nothing(project: Project) -> None:
    project.on("server-2", f"mv {TARGET}/repository {TARGET}/elsewhere")
    told = project.fab("drill")
    project.on("server-2", f"mv {TARGET}/elsewhere {TARGET}/repository")
    assert told.exit == 1
    assert "can't be read from here" in told.stdout
    assert not (DRILLS / project.name).exists()
    status = project.fab("status")
    assert status.exit == 1
    assert "failed at copy" in status.stdout
    (project.inventory.parent / f"{project.name}.drill.json").unlink()


def test_place_of_the_backups_is_lost__another_one_begins(project: Project) -> None:
    project.on("server-2", f"rm -r {TARGET}/repository")
    assert project.fab("backup").exit == 1
    project.data["backup"]["to"] = project.data["backup"]["to"] + "2"
    project.write()
    project.on("server-1", "rm /var/lib/videoteca-backup/status.json")
    for command in ("provision", "backup", "backup.verify"):
        project.fab(command).well()
    assert project.fab("status").exit == 0


def test_key_of_the_vault_is_lost__the_printed_password_opens_the_backups(
    project: Project,
) -> None:
    printed = project.fab("secrets.show", "backup_password").well().stdout.strip()
    vault = project.inventory.with_name(f"{project.name}.secrets.age")
    vault.rename(project.folder / "old.age")
    key = project.folder / "home" / ".config" / "nodriza" / "age.key"
    key.unlink()
    for name, text in (
        ("backup_password", printed),
        ("backup_ssh_key", (project.folder / "key").read_text()),
    ):
        (project.folder / "stdin").write_text(text)
        with (project.folder / "stdin").open() as stdin:
            project.fab("secrets.set", name, stdin=stdin).well()
    project.fab("provision", timeout=900).well()
    project.fab("backup").well()
    project.fab("smoke").well()


def test_all_machines_are_lost__they_come_back_with_every_row_and_file(project: Project) -> None:
    """As docs/disaster.rst has it. The repository was in another house."""
    project.fab("backup").well()
    before = counted(project)
    kept = project.folder / "repository.tar"
    folder = project.data["backup"]["to"].rpartition("/")[2]
    project.on("server-2", f"tar -C {TARGET} -cf /root/r.tar {folder}")
    _fetch(project, "server-2", "/root/r.tar", kept)
    project.fab("lab.down").well()
    project.fab("lab.up").well()
    project.on("server-2", f"useradd -m keeper && install -d -o keeper -m 0700 {TARGET}")
    project.on("server-2", "install -d -o keeper -m 0700 /home/keeper/.ssh")
    (project.folder / "key").chmod(0o600)
    public = subprocess.run(
        ["ssh-keygen", "-y", "-f", str(project.folder / "key")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    project.on("server-2", "cat >/home/keeper/.ssh/authorized_keys", stdin=public)
    _bring(project, "server-2", kept, "/root/r.tar")
    project.on("server-2", f"tar -C {TARGET} -xf /root/r.tar && chown -R keeper {TARGET}")
    key = project.on("server-2", "cat /etc/ssh/ssh_host_ed25519_key.pub").split()
    project.data["backup"]["host_key"] = f"{key[0]} {key[1]}"
    project.write()
    for command in ("provision", "restore", "provision", "deploy", "smoke"):
        done = project.fab(command, timeout=900).well()
        project.times[f"from nothing: {command}"] = done.seconds
    assert counted(project) == before


def _fetch(project: Project, node: str, there: str, here: Path) -> None:
    words = [*_ssh(project, node), f"cat {there}"]
    with here.open("wb") as file:
        subprocess.run(words, stdout=file, timeout=60, check=True)


def _bring(project: Project, node: str, here: Path, there: str) -> None:
    with here.open("rb") as file:
        subprocess.run([*_ssh(project, node), f"cat >{there}"], stdin=file, timeout=60, check=True)


def _ssh(project: Project, node: str) -> list[str]:
    return lab.ssh_argv(project.cluster, node)
