"""Looks for secrets where none may be."""

from __future__ import annotations

import base64
import contextlib
import json
import shlex
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from tests.lab.project import Project

# As root: every file that holds one of the lines of stdin, with its mode and owner. Not through
# what is mounted: the share's files are in a folder of the central's own.
EVERYWHERE = r"""
umask 077; cat >/root/.needles
find /etc /var /srv /run /tmp /root /home /opt /usr/local /boot /mnt -xdev -type f \
    ! -path /root/.needles -print0 2>/dev/null |
    xargs -0 -r grep -laF -f /root/.needles 2>/dev/null |
    while IFS= read -r file; do stat --format='%a %U %n' "$file"; done
rm /root/.needles
"""
# As somebody without rights.
NOBODY = "setpriv --reuid=65534 --regid=65534 --clear-groups"
READABLE = f"{NOBODY} sh -c 'while read -r file; do test ! -r $file || echo $file; done'"
ENVIRONMENTS = f"{NOBODY} sh -c 'grep -lsaF -f - /proc/*/environ'"
# What is said, not what lies in files. grep ends with 1 when it finds nothing.
SAID = {
    "journal": "journalctl --no-pager --output=export | grep -caF -f /root/.needles",
    "uwsgi's stats": "for s in /run/uwsgi/*.stats.sock; do test -S $s && uwsgi-core"
    " --connect-and-read $s 2>&1; done | grep -caF -f /root/.needles",
    "mariadb's log of queries": "echo 'SELECT @@general_log + @@log_bin + @@slow_query_log' |"
    " mariadb -N 2>/dev/null | grep -v '^0$' | grep -c .",
    "redis's slow commands": "test ! -d /etc/redis || { set -a; . /etc/redis/admin.env;"
    " for port in 6379 6380; do redis-cli -p $port --user admin SLOWLOG GET 1000 2>/dev/null;"
    " done | grep -caF -f /root/.needles; }",
}


def values(project: Project) -> dict[str, str]:
    """Every secret, by the command that shows them on request."""
    names = [line.split()[0] for line in project.fab("secrets.show").well().stdout.splitlines()]
    return {
        name: project.fab("secrets.show", "--name", name).well().stdout.strip() for name in names
    }


def needles(secrets: Iterable[str]) -> list[str]:
    """The secrets as they are, and as they would look in a URL, in base64, in hexadecimal…"""
    found = set()
    for secret in secrets:
        data = secret.encode()
        found |= {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], data.hex()}
        found.add(shlex.quote(secret))
        for before in range(3):  # its letters depend on what stands before it
            coded = base64.b64encode(b"\0" * before + data + b"\0\0").decode()
            found.add(coded[before + 1 : (before + len(data)) * 8 // 6])
    return sorted(found)


def found_in(text: str, secrets: Iterable[str]) -> list[str]:
    """Which of the secrets are in a text, in any form."""
    return [needle for needle in needles(secrets) if needle in text]


@dataclass
class Artefacts:
    """Everything that commands wrote, by what it was."""

    texts: dict[str, str] = field(default_factory=dict)

    def keep(self, name: str, text: str) -> None:
        """Add to what is searched."""
        self.texts[name] = self.texts.get(name, "") + text

    def leaks(self, secrets: Iterable[str]) -> dict[str, list[str]]:
        """What was found, by where."""
        secrets = list(secrets)
        found = {name: found_in(text, secrets) for name, text in self.texts.items()}
        return {name: hits for name, hits in found.items() if hits}


class Sampler(threading.Thread):
    """Looks at every process of this computer, the machines' included, again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.argv: set[str] = set()
        self.environments: dict[str, set[int]] = {}  # the text → user ids of its processes
        self.leave = threading.Event()

    def run(self) -> None:
        turn = 0
        while not self.leave.wait(0.02):
            turn += 1
            for folder in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):
                    self.argv.add(_text(folder / "cmdline"))
                if turn % 20 == 0:
                    with contextlib.suppress(OSError):
                        file = folder / "environ"
                        user = folder.stat().st_uid
                        self.environments.setdefault(_text(file), set()).add(user)

    def users_with(self, secrets: Iterable[str]) -> set[int]:
        """The user ids of the processes that had one of them in their environment."""
        secrets = list(secrets)
        found = [users for text, users in self.environments.items() if found_in(text, secrets)]
        return set().union(*found)


@contextlib.contextmanager
def sampling() -> Iterator[Sampler]:
    """Look at all processes meanwhile."""
    sampler = Sampler()
    sampler.start()
    try:
        yield sampler
    finally:
        sampler.leave.set()
        sampler.join()


def files_with(project: Project, node: str, secrets: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Every file of a machine that holds one of them: path to mode and owner."""
    text = project.on(node, EVERYWHERE, stdin=_lines(secrets), check=False)
    rows = [line.split(" ", 2) for line in text.splitlines()]
    return {path: (mode, owner) for mode, owner, path in rows}


def open_to_all(project: Project, node: str, files: Iterable[str]) -> list[str]:
    """Those of the files that somebody without rights can read."""
    lines = "".join(f"{file}\n" for file in files)
    return project.on(node, READABLE, stdin=lines).splitlines()


def environments_with(project: Project, node: str, secrets: Iterable[str]) -> str:
    """Processes that show one of them to somebody without rights."""
    return project.on(node, ENVIRONMENTS, stdin=_lines(secrets), check=False)


def said_on(project: Project, node: str, secrets: Iterable[str]) -> dict[str, str]:
    """Where a machine tells one of them to whoever asks, and how often."""
    project.on(node, "umask 077; cat >/root/.needles", stdin=_lines(secrets))
    try:
        counts = {
            name: project.on(node, script, check=False).strip() for name, script in SAID.items()
        }
    finally:
        project.on(node, "rm /root/.needles")
    return {name: count for name, count in counts.items() if count not in ("", "0")}


def _lines(secrets: Iterable[str]) -> str:
    return "".join(f"{needle}\n" for needle in needles(secrets))


def _text(file: Path) -> str:
    return file.read_bytes().decode("utf-8", "replace")
