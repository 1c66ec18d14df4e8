"""A secret is where it is needed, readable by who needs it, and nowhere else."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from tests.lab.conftest import NODES
from tests.lab.project import Project, wait_for
from tests.lab.visitor import serving

NAMES = ["django_secret_key", "mysql_app", "redis"]
# As somebody without rights; what to look for comes on stdin.
READABLE = (
    "setpriv --reuid=65534 --regid=65534 --clear-groups"
    " grep -rlsF -f - /etc /var /srv /run /tmp /opt /usr/local /home"
)
LOGS = "journalctl --no-pager -o cat; cat /var/log/*.log /var/log/*/*.log"
RUNS = "cat /var/lib/nodriza/runs/*/run.json /var/lib/nodriza/lock"


class Argv(threading.Thread):
    """Looks at the argv of every process of this computer, the machines' included."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.leave = threading.Event()

    def run(self) -> None:
        while not self.leave.wait(0.01):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                with contextlib.suppress(OSError):
                    self.seen.add(file.read_bytes().decode("utf-8", "replace"))


@contextlib.contextmanager
def watching() -> Iterator[Argv]:
    watcher = Argv()
    watcher.start()
    try:
        yield watcher
    finally:
        watcher.leave.set()
        watcher.join()


def values(project: Project) -> dict[str, str]:
    """By the command that shows them on request."""
    names = project.fab("secrets.show").well().stdout.split()
    return {
        name: project.fab("secrets.show", "--name", name).well().stdout.strip() for name in names
    }


def found_in(text: str, secrets: list[str]) -> list[str]:
    return [secret for secret in secrets if secret in text]


def test_secrets__rotate_and_no_value_shows_anywhere(mended: Project) -> None:
    old = values(mended)
    assert sorted(old) == NAMES
    for name in NAMES:
        rotated = mended.fab("secrets.rotate", name).well()
        assert found_in(rotated.said, [*old.values(), *values(mended).values()]) == []
    new = values(mended)
    assert not set(new.values()) & set(old.values())
    secrets = [*old.values(), *new.values()]

    with watching() as watcher:
        checked = mended.fab("provision", "--check", "--diff").well()
        done = mended.fab("provision", "--diff").well()
        as_json = mended.fab("provision", "--json", "--diff").well()
    assert len(watcher.seen) > 100
    for name, text in {
        "check": checked.said,
        "provision": done.said,
        "json": as_json.said,
        "argv": "\n".join(watcher.seen),
    }.items():
        assert found_in(text, secrets) == [], name
    # What changed is shown, with a name in the place of the values.
    assert 'DATABASE_PASSWORD="‹secret:mysql_app›"' in done.stdout
    assert "databaseuser:videoteca@198.18.27.12" in done.stdout
    wait_for("answer of every child", 30, lambda: serving(mended.cluster))
    assert mended.fab("provision", "--json").well().changed() == {}

    for node in NODES:
        assert found_in(mended.on(node, LOGS, check=False), secrets) == [], f"logs of {node}"
        assert found_in(mended.on(node, RUNS, check=False), secrets) == [], f"history of {node}"
        # `grep` ends with 2 for folders it may not enter, with 0 when it found something.
        readable = mended.on(node, READABLE, stdin="\n".join(secrets) + "\n", check=False)
        assert readable == "", f"files of {node} that everybody may read"


def test_files_with_secrets__are_really_found_by_this_search(deployed: Project) -> None:
    secret = values(deployed)["redis"]
    deployed.on("server-2", "cat >/tmp/leak", stdin=secret)
    try:
        found = deployed.on("server-2", READABLE, stdin=f"{secret}\n", check=False)
    finally:
        deployed.on("server-2", "rm /tmp/leak")
    assert found == "/tmp/leak\n"


def test_vault__holds_no_plain_value_and_the_key_is_outside_the_repository(
    deployed: Project,
) -> None:
    secrets = list(values(deployed).values())
    beside = deployed.inventory.parent.iterdir()
    assert found_in("".join(f.read_bytes().decode("latin-1") for f in beside), secrets) == []
    key = deployed.folder / "home/.config/nodriza/age.key"
    assert key.stat().st_mode & 0o777 == 0o600
