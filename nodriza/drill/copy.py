"""The newest backup, copied to this computer: its repository is read, and never written to.

restic(1) does it: ``copy`` takes the snapshots of one run, and compares every piece with its
digest. ``--no-lock`` leaves not even a lock there.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodriza import alive, lab
from nodriza.backup.nodes import with_backups
from nodriza.errors import LabError
from nodriza.files import write_whole
from nodriza.lab import ssh
from nodriza.lab.programs import PATH

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node

READS = ("copy", "snapshots", "stats")
"""What is asked of the repository that the cluster writes to. ``copy`` writes to ours."""
WHOLE = "whole"
SFTP_SERVER = "/usr/lib/openssh/sftp-server"


@dataclass
class Copied:
    """What came: the newest backup of each node that has one."""

    runs: dict[str, str] = field(default_factory=dict)
    """Node to the name of its backup."""
    rows: int = 0
    size: int = 0
    """Bytes of all of it, as it is when restored."""
    system: str = ""
    """The Debian release of the nodes then."""
    served: dict[str, Any] = field(default_factory=dict)
    """The release that served then: ``release``, and ``commit`` where it came from git."""


class Copy:
    """A repository of our own in ``folder``, with the password of the cluster's."""

    def __init__(self, cluster: Cluster, values: Mapping[str, str], folder: Path) -> None:
        self.cluster = cluster
        self.values = values
        self.folder = folder
        self.repository = folder / "copies"
        self.password = folder / "password"

    def take(self, enough: Callable[[int], None]) -> Copied:
        """The newest whole backup of each node; ``LabError`` where there is none.

        ``enough`` is asked before anything is copied, with the bytes of all of it.
        """
        _private(self.password, self.values["backup_password"])
        self.repository.mkdir(mode=0o700)
        self._here("init")
        copied = Copied()
        for source in self._sources():
            newest = _newest(json.loads(self._there(source, "snapshots", "--json")), self.cluster)
            for host, (run, ids) in newest.items():
                said = self._there(source, "stats", "--mode", "restore-size", "--json", *ids)
                copied.size += int(json.loads(said)["total_size"])
                enough(copied.size)
                self._there(source, "copy", *ids)
                copied.runs[host] = run
        if not copied.runs:
            raise LabError(
                f"there is no whole backup of {self.cluster.name} in {self._to}",
                kept="nothing was made",
                do="fab backup, then this again",
            )
        self._read_notes(copied)
        return copied

    @property
    def _to(self) -> str:
        return self.cluster.backup.to if self.cluster.backup else ""

    def _sources(self) -> Iterator[dict[str, str]]:
        """The environment and the SFTP command with which each repository is read."""
        backup = self.cluster.backup
        assert backup is not None  # noqa: S101  looked at by needs.py
        if backup.remote == "s3":
            keys = {
                "AWS_ACCESS_KEY_ID": "backup_s3_id",
                "AWS_SECRET_ACCESS_KEY": "backup_s3_secret",
            }
            yield {"to": backup.to, **{name: self.values[key] for name, key in keys.items()}}
        elif backup.remote == "sftp":
            key, known = self.folder / "backup_ssh_key", self.folder / "known_hosts"
            _private(key, self.values["backup_ssh_key"])
            known.write_text(f"backup {backup.host_key}\n")
            login = backup.to.split(":")[1]
            options = {"UserKnownHostsFile": str(known), "HostKeyAlias": "backup"}
            argv = ssh.argv(login, key, backup.port, **options, **_STRICT)
            yield {"to": backup.to, "command": shlex.join([*argv, "-s", "sftp"])}
        else:
            for node in with_backups(self.cluster):
                command = shlex.join(_by_ssh(self.cluster, node))
                yield {"to": f"sftp:{node.name}:{backup.to}", "command": command}

    def _there(self, source: Mapping[str, str], word: str, *words: str) -> str:
        """Restic's answer from the cluster's own repository, which is only read."""
        if word not in READS:
            raise LabError(f"restic {word} is not for the repository of {self.cluster.name}")
        env = {name: value for name, value in source.items() if name.isupper()}
        options = ["--no-lock"]
        if "command" in source:
            options += ["-o", f"sftp.command={source['command']}"]
        side = {"REPOSITORY": source["to"], "PASSWORD_FILE": str(self.password)}
        if word == "copy":
            env |= {f"RESTIC_FROM_{name}": value for name, value in side.items()}
            env |= self._ours
        else:
            env |= {f"RESTIC_{name}": value for name, value in side.items()}
        return self._restic(env, *options, word, *words)

    def _here(self, *words: str) -> str:
        return self._restic(self._ours, *words)

    @property
    def _ours(self) -> dict[str, str]:
        return {
            "RESTIC_REPOSITORY": str(self.repository),
            "RESTIC_PASSWORD_FILE": str(self.password),
        }

    def _restic(self, env: Mapping[str, str], *words: str) -> str:
        cache = {"RESTIC_CACHE_DIR": str(self.folder / "cache"), "PATH": PATH}
        with alive.waiting(lambda: f"… restic {words[-1] if words else ''}"):
            done = subprocess.run(
                ["restic", "--quiet", *words],
                env={**os.environ, **cache, **env},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
        if done.returncode:
            said = " ".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-2:])
            raise LabError(
                f"the backups in {self._to} can't be read from here: {said[:500]}",
                kept="no machine was made",
                do="is it up, and does this computer reach it? The secrets for it: fab secrets",
            )
        return done.stdout

    def _read_notes(self, copied: Copied) -> None:
        """What each node wrote down when it was copied."""
        notes = f"/var/lib/{self.cluster.app.name}-backup/notes"
        for each in json.loads(self._here("snapshots", "--json")):
            if WHOLE not in each["tags"]:
                continue
            record = json.loads(self._here("dump", each["id"], f"{notes}/record.json"))
            copied.system = str(record.get("system") or copied.system)
            copied.served = record.get("served") or copied.served
            for name, part in record["parts"].items():
                if "bytes" in part:
                    text = self._here("dump", each["id"], f"{notes}/{name}/counts")
                    copied.rows += _rows(text)


_STRICT = {"StrictHostKeyChecking": "yes", "BatchMode": "yes"}


def _by_ssh(cluster: Cluster, node: Node) -> list[str]:
    """The way to a folder on a node: as the operator logs in."""
    if cluster.lab:
        return [*lab.ssh_argv(cluster, node.name), "-s", "sftp"]
    login = node.ssh
    argv = ["ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
    argv += ["-p", str(login.port)] if "port" in login.model_fields_set else []
    argv += ["-i", str(login.key)] if login.key else []
    argv += ["-o", f"UserKnownHostsFile={login.known_hosts}"] if login.known_hosts else []
    if gateway := login.gateway:
        named = {each.name: each.ssh.host or each.private for each in cluster.nodes}
        argv += ["-J", named.get(gateway, gateway)]
    user = login.user or "root"
    tail = ["-s", "sftp"] if user == "root" else ["sudo", "-n", SFTP_SERVER]
    return [*argv, f"{user}@{login.host or node.private}", *tail]


def _newest(snapshots: Any, cluster: Cluster) -> dict[str, tuple[str, list[str]]]:
    """Host to the name of its newest whole backup, with the snapshots of it."""
    runs: dict[tuple[str, str], list[Any]] = {}
    for each in snapshots or ():
        tags = dict(tag.partition("=")[::2] for tag in each.get("tags") or ())
        if tags.get("cluster") == cluster.name and "run" in tags:
            runs.setdefault((each["hostname"], tags["run"]), []).append(each)
    whole = {key: found for key, found in runs.items() if any(WHOLE in e["tags"] for e in found)}
    return {host: (run, [e["id"] for e in whole[host, run]]) for host, run in sorted(whole)}


def _rows(counts: str) -> int:
    pairs = (line.rpartition("\t") for line in counts.splitlines())
    return sum(int(number) for name, _, number in pairs if name.startswith("rows "))


def _private(path: Path, text: str) -> None:
    """A file that nobody else reads, from its first byte."""
    write_whole(path, f"{text}\n".encode(), 0o600)
