"""The repository of the copies: restic(1), and what its complaints mean."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any, NoReturn

WHOLE = "whole"
"""The tag of the last snapshot of a run: only with it the run is a backup."""
MEANS = (
    (
        "wrong password or no key found",
        "the repository has another password",
        "fab secrets.set backup_password, with the password that it was made with",
    ),
    (
        "no space left on device",
        "there is no room left where the copies go",
        "make room there, or keep fewer (backup.keep); older copies are as they were",
    ),
    (
        "ssh_fx_failure",  # all that SFTP has for it
        "the host of the copies can't write there; mostly its disk is full",
        "make room there, or keep fewer (backup.keep); older copies are as they were",
    ),
    (
        "host key verification failed",
        "the host of the copies has another key than backup.host_key",
        "ask who runs it; nothing was sent",
    ),
    (
        "permission denied",
        "the host of the copies refuses the log-in, or the folder",
        "its account, its authorized_keys, and fab secrets.show backup_ssh_key",
    ),
    ("access denied", "the keys for S3 are refused", "fab secrets.set backup_s3_secret"),
    (
        "access key id you provided does not",
        "S3 knows no such key",
        "fab secrets.set backup_s3_id",
    ),
    ("signaturedoesnotmatch", "the keys for S3 are refused", "fab secrets.set backup_s3_secret"),
    ("signature we calculated", "the keys for S3 are refused", "fab secrets.set backup_s3_secret"),
    (
        "x509: ",
        "the host of the copies shows no certificate that this node trusts",
        "its certificate, and the clock of this node; nothing was sent",
    ),
    ("repository is already locked", "another host is at work there", "it is tried again"),
)
AWAY = ("connection refused", "no route to host", "timed out", "unable to start the sftp session")
AWAY += ("could not resolve", "no such host", "connection reset", "broken pipe")


MAKING, EVERY = 300.0, 3.0
"""Seconds for the node that makes the repository, and between two looks of the others."""
READS = ("cat", "check", "dump", "ls", "restore", "snapshots")
"""Words of restic's that change nothing in a repository."""


class Trouble(Exception):
    """What went wrong, for a person, and what to do."""

    def __init__(self, what: str, do: str) -> None:
        super().__init__(what)
        self.do = do


class Store:
    """One repository. ``conf``: what the inventory says (roles/backup.py)."""

    def __init__(self, conf: dict[str, Any]) -> None:
        self.conf = conf
        self.env = {
            **os.environ,
            **variables(Path(conf["env"])),
            "RESTIC_REPOSITORY": conf["to"],
            "RESTIC_PASSWORD_FILE": conf["password"],
            "RESTIC_CACHE_DIR": conf["cache"],
            "RESTIC_PROGRESS_FPS": "0.05",
            "GOGC": "20",  # memory rather than speed
        }

    def argv(self, *words: str) -> list[str]:
        """The command line; no secret is in it.

        Where the copies are another cluster's, nothing is written there, not even a lock.
        """
        command = self.conf["sftp"]
        options = ["-o", f"sftp.command={command}"] if command else []
        if self.conf.get("read_only"):
            if words[0] not in READS:
                raise Trouble(
                    f"{self.conf['to']} has the backups of {self.conf['cluster']}, which are only"
                    f" read here: no restic {words[0]}",
                    f"on a node of {self.conf['cluster']}, or without backup.of",
                )
            options = ["--no-lock", *options]
        return ["restic", *options, *words]

    def run(self, *words: str, check: bool = True, **options: Any) -> Any:
        """Its end, with what it said."""
        done = subprocess.run(
            self.argv(*words),
            env=self.env,
            stdin=options.pop("stdin", subprocess.DEVNULL),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            **options,
        )
        if check and done.returncode:
            self.refuse(done.stderr or done.stdout, words[0])
        return done

    def json(self, *words: str) -> Any:
        """What it says as data."""
        said = self.run(*words, "--json").stdout.strip()
        return json.loads(said or "null")

    def refuse(self, said: str, word: str) -> NoReturn:
        """In words for a person."""
        raise self._known(said) or Trouble(
            f"restic {word}: {last(said)}", f"restic's words: journalctl -u {unit(self)}"
        )

    def _known(self, said: str) -> Trouble | None:
        low = said.lower()
        to = self.conf["to"]
        for sign, what, do in MEANS:
            if sign in low:
                return Trouble(f"{what} ({to})", do)
        if any(sign in low for sign in AWAY):
            return Trouble(
                f"{to} can't be reached: {last(said)}", "is it up? The next run tries again"
            )
        return None

    def open(self, known: str) -> str:
        """Its number; made, if there is none yet and this node never had one."""
        done = self.run("cat", "config", check=False)
        # restic says so as well of one that it can't reach.
        lost = done.returncode and not self._known(done.stderr)
        if lost and "is there a repository at the following location" in done.stderr.lower():
            if self.conf.get("read_only"):
                raise Trouble(f"there is no repository at {self.conf['to']}", "backup.to")
            if known:
                raise Trouble(
                    f"there is no repository at {self.conf['to']} any more: it was {known[:8]}",
                    "is its disk mounted? To begin a new one: rm "
                    f"{self.conf['state']}/status.json",
                )
            done = self._made()
        if done.returncode:
            self.refuse(done.stderr, "cat config")
        id = str(json.loads(done.stdout)["id"])
        if known and id != known:
            raise Trouble(
                f"{self.conf['to']} has another repository ({id[:8]}) than before ({known[:8]})",
                f"is the right disk mounted? To go on with this one: rm {self.conf['state']}"
                "/status.json",
            )
        # Of runs that are over: a process of this host that is gone (restic(1)). Whoever opens the
        # repository has this host to itself.
        if not self.conf.get("read_only"):
            self.run("unlock")
        return id

    def _made(self) -> Any:
        """Its configuration, once one node has made it: two at once would make two of them in
        one place, which nobody can read."""
        maker = self.conf["maker"]
        if maker == self.conf["node"]:
            self.run("init")
            return self.run("cat", "config", check=False)
        say(
            f"there is no repository at {self.conf['to']} yet: waiting for {maker}, which makes it"
        )
        end = time.monotonic() + MAKING
        while time.monotonic() < end:
            time.sleep(EVERY)
            done = self.run("cat", "config", check=False)
            if not done.returncode:
                return done
        raise Trouble(
            f"there is no repository at {self.conf['to']} yet",
            f"fab backup: {maker} makes it, which is the first node that has something to copy",
        )

    def snapshots(self) -> list[dict[str, Any]]:
        """All of this cluster; ``Trouble`` where they are another one's."""
        found = self.json("snapshots") or []
        mine = f"cluster={self.conf['cluster']}"
        for each in found:
            if mine not in (each.get("tags") or ()):
                other = next((t for t in each.get("tags") or () if t.startswith("cluster=")), "")
                raise Trouble(
                    f"{self.conf['to']} has copies of "
                    + (f"the cluster {other[8:]}" if other else "something else"),
                    "another folder, or another bucket, for each cluster (backup.to)",
                )
        return list(found)

    def runs(self) -> list[Run]:
        """The whole ones, the oldest first."""
        by_run: dict[str, list[dict[str, Any]]] = {}
        for each in self.snapshots():
            by_run.setdefault(tag(each, "run"), []).append(each)
        whole = (Run(name, found) for name, found in by_run.items())
        return sorted((run for run in whole if run.files), key=lambda run: run.name)

    def locked(self, *words: str) -> Any:
        """``run`` for what needs the repository alone; another node may be at work there."""
        for _ in range(30):
            done = self.run(*words, check=False)
            if not done.returncode or "already locked" not in done.stderr:
                break
            time.sleep(20)
        if done.returncode:
            self.refuse(done.stderr, words[0])
        return done


class Run:
    """The snapshots of one backup of one node."""

    def __init__(self, name: str, found: list[dict[str, Any]]) -> None:
        self.name = name
        self.host = found[0]["hostname"]
        self.ids = [each["id"] for each in found]
        self.files = next((e["id"] for e in found if WHOLE in e["tags"]), "")
        self.parts = {tag(e, "part"): e["id"] for e in found if tag(e, "part")}


def tag(snapshot: dict[str, Any], key: str) -> str:
    """The value of a tag "key=value"."""
    found = (each for each in snapshot.get("tags") or () if each.startswith(f"{key}="))
    return next(found, "").partition("=")[2]


def variables(path: Path) -> dict[str, str]:
    """NAME="value", a line each, as systemd reads it."""
    with contextlib.suppress(FileNotFoundError):
        lines = path.read_text("utf-8").splitlines()
        pairs = (line.partition("=") for line in lines if line and line[0] != "#")
        return {name: value.strip('"') for name, _, value in pairs}
    return {}


def last(said: str) -> str:
    """The end of what a program said."""
    lines = [line for line in said.strip().splitlines() if line.strip()]
    return " ".join(lines[-2:])[:500] or "it said nothing"


def unit(store: Store) -> str:
    """The unit whose journal has everything."""
    return f"{store.conf['app']}-backup"


def say(words: str) -> None:
    """To the journal, and to who waits for it."""
    print(words, flush=True)  # noqa: T201


def read(path: Path) -> dict[str, Any]:
    """A file of ours, or nothing."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write(path: Path, data: dict[str, Any]) -> None:
    """Whole, or as it was."""
    new = path.with_name(f"{path.name}.new")
    with new.open("w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
