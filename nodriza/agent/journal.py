"""What the host remembers between runs, in /var/lib/nodriza.

::

    owed/service%3Anginx.json   what is due after a change (a restart, a command), and what
                         replaced what since then; written before the first file changes
    runs/<run>/          the old files of a run, and run.json: who, when, what changed;
                         begun before the first change, so a killed run has one as well
    plans/               what each cluster has made here (nodriza.agent.memory)
    last.json            the last run, which may have changed nothing
    lock                 who is at work (locked with flock(2), so a dead run holds nothing)
    releases.lock        whose deploy is under way on this node or on others, in the same way

One mechanism with four uses: restarts that must not be lost, putting a rejected change
back, history, and rolling back.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from typing import Any, Dict, List, Optional, Set

from nodriza.host.errors import HostError
from nodriza.host.files import is_temporary
from nodriza.host.host import Host

HOME = "/var/lib/nodriza"
RUNS = 100
DAYS = 180
BYTES = 64 * 1024 * 1024
"""What is kept of the past: a run goes when any of the three is passed."""
IN_FULL, IN_ALL = 256 * 1024, 512 * 1024
"""Bytes of the newest records that are told with what they did, and of all that are told."""
RECORD = 4 * 1024 * 1024
"""Bytes of a record; each of ours is far shorter."""


class Busy(Exception):
    """Another run holds the host; ``holder`` says who, since when and from where."""

    def __init__(self, holder: Dict[str, Any]) -> None:
        super().__init__(json.dumps(holder))
        self.holder = holder


class Journal:
    """The journal of one host; ``run`` is this run's id, sortable by time."""

    def __init__(self, host: Host, run: str, home: str = HOME) -> None:
        self.host = host
        self.run = run
        self.home = home
        self.record: Dict[str, Any] = {"run": run}
        """What ``run.json`` says; without "counts" the run did not come to its end."""
        self._kept: List[Dict[str, Any]] = []
        self._begun = False
        self._lock: Optional[int] = None

    def lock(self, holder: Dict[str, Any]) -> None:
        """Take the host for this run, or raise ``Busy``; until ``unlock``, or the process ends."""
        self._lock = self._take("lock", holder)
        self._sweep()

    def lock_releases(self, holder: Dict[str, Any]) -> None:
        """Take what serves, or raise ``Busy``; until the process ends.

        A deploy goes on on other nodes while nobody is at work on this one.
        """
        self._take("releases.lock", holder)

    def _take(self, name: str, holder: Dict[str, Any]) -> int:
        self._make(self.home)
        path = self.host.at(f"{self.home}/{name}")
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with os.fdopen(fd) as file:
                raise Busy(json.loads(file.read() or "{}")) from None
        os.ftruncate(fd, 0)
        os.write(fd, json.dumps(holder).encode())
        return fd

    def unlock(self) -> None:
        """Let the next run in; ours may take long to die."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def owed(self, id: str) -> Optional[Dict[str, Any]]:
        """What is due for a resource: ``id``, ``action``, ``run``, ``since``, ``files``."""
        return self._read(self._debt(id))

    def owe(self, id: str, action: str, path: Optional[str], since: str) -> None:
        """Write down that resource ``id`` owes ``action``, and keep ``path`` as it is now.

        Called before the change. What an earlier run kept stays kept: the service has
        been running with that. ``restart`` outweighs ``reload``.
        """
        debt = self.owed(id) or {
            "id": id,
            "run": self.run,
            "since": since,
            "monotonic": time.monotonic(),
            "files": [],
        }
        if debt.get("action") != "restart":
            debt["action"] = action
        if path is not None and all(kept["path"] != path for kept in debt["files"]):
            debt["files"].append(self.keep(path))
        self._make(self.home)
        self._make(f"{self.home}/owed")
        self._write(self._debt(id), debt)

    def settle(self, id: str) -> None:
        """It was done: nothing is due any more."""
        if self.host.stat(self._debt(id)) is not None:
            self.host.remove(self._debt(id))

    def restore(self, id: str) -> List[str]:
        """Put back what the service's files were; returns their paths."""
        debt = self.owed(id) or {"files": []}
        for kept in reversed(debt["files"]):
            self._put_back(kept)
        return [kept["path"] for kept in debt["files"]]

    def all_owed(self) -> List[Dict[str, Any]]:
        """Every debt on this host."""
        folder = f"{self.home}/owed"
        names = [name for name in self.host.list(folder) if name.endswith(".json")]
        return [debt for debt in (self._read(f"{folder}/{name}") for name in names) if debt]

    def begin(self) -> None:
        """Write down that this run changes something. Before its first change."""
        if not self._begun:
            self._begun = True
            self._write_record()

    def keep(self, path: str) -> Dict[str, Any]:
        """Keep ``path`` as this run found it. Before it changes; the first time counts."""
        for kept in self._kept:
            if kept["path"] == path:
                return kept
        kept = self._copy(path)
        self._begun = True
        self._kept.append(kept)
        self._write_record()
        return kept

    def remember(self, result: Dict[str, Any], resources: Dict[str, Any]) -> None:
        """Write down what came of this run, and let the oldest ones go.

        A run that changed nothing leaves no record, only that it was there.
        """
        self.record.update(result)
        self._make(self.home)
        self._write(f"{self.home}/last.json", self.record)
        if self._begun:
            self.record["resources"] = resources
            self._write_record()
            self._clean()

    def last_run(self) -> Optional[Dict[str, Any]]:
        """The record of the last run that came to its end, without its details."""
        return self._past(f"{self.home}/last.json")

    def history(self) -> List[Dict[str, Any]]:
        """The records of the runs that changed something, the newest first.

        Each has ``kept``: the files that it replaced, and what each was before
        (``type``: nothing, file, link, or what can't be put back).
        """
        told: List[Dict[str, Any]] = []
        used = 0
        for name in reversed(self.host.list(f"{self.home}/runs")):
            record = self._past(f"{self.home}/runs/{name}/run.json")
            if record is None or "kept" not in record:
                continue
            used += len(json.dumps(record))
            if used > IN_FULL:
                used -= len(json.dumps(record.pop("resources", {})))
            if used > IN_ALL:
                break
            told.append(record)
        return told

    def content(self, kept: Dict[str, Any]) -> bytes:
        """The content of a file that was kept."""
        return self.host.read(kept["copy"]) or b""

    def _sweep(self) -> None:
        """What a run that was killed was just writing down."""
        newest = [f"{self.home}/runs/{name}" for name in self.host.list(f"{self.home}/runs")[-1:]]
        for folder in (self.home, f"{self.home}/owed", f"{self.home}/plans", *newest):
            for name in self.host.list(folder):
                if is_temporary(name):
                    self.host.remove(f"{folder}/{name}")

    def _clean(self) -> None:
        needed = self._needed()
        used = 0
        for number, name in enumerate(reversed(self.host.list(f"{self.home}/runs"))):
            folder = f"{self.home}/runs/{name}"
            files = [self.host.stat(f"{folder}/{file}") for file in self.host.list(folder)]
            used += sum(file.size for file in files if file)
            age = time.time() - max((file.modified for file in files if file), default=0)
            old = number >= RUNS or age > DAYS * 86400 or used > BYTES
            if old and name not in needed:
                self.host.remove(folder)

    def _needed(self) -> Set[str]:
        """This run, and those whose copies a rejected service would still get back."""
        copies = [kept.get("copy", "") for debt in self.all_owed() for kept in debt["files"]]
        return {self.run, *(os.path.basename(os.path.dirname(copy)) for copy in copies)}

    def _copy(self, path: str) -> Dict[str, Any]:
        seen = self.host.stat(path)
        if seen is None:
            return {"path": path, "type": "nothing"}
        kept = {"path": path, **seen._asdict()}
        if seen.type == "link":
            kept["target"] = self.host.readlink(path)
        elif seen.type == "file":
            kept["copy"] = f"{self._folder()}/{len(self._kept):04d}"
            self.host.write(kept["copy"], self.host.read(path) or b"", mode="0600")
        return kept

    def _put_back(self, kept: Dict[str, Any]) -> None:
        path = kept["path"]
        if kept["type"] == "nothing":
            self.host.remove(path)
        elif kept["type"] == "link":
            self.host.symlink(path, kept["target"])
        elif kept["type"] == "file":
            self.host.write(
                path,
                self.content(kept),
                owner=kept["owner"],
                group=kept["group"],
                mode=kept["mode"],
            )

    def _folder(self) -> str:
        for folder in (self.home, f"{self.home}/runs", f"{self.home}/runs/{self.run}"):
            self._make(folder)
        return f"{self.home}/runs/{self.run}"

    def _make(self, folder: str) -> None:
        if self.host.stat(folder) is None:
            parent = os.path.dirname(folder)
            if self.host.stat(parent) is None:
                self._make(parent)
            self.host.mkdir(folder)  # root's alone: the copies may hold secrets

    def _debt(self, id: str) -> str:
        from urllib.parse import quote  # noqa: PLC0415  slow to load, for a run without changes

        return f"{self.home}/owed/{quote(id, safe='')}.json"

    def _write_record(self) -> None:
        self._write(f"{self._folder()}/run.json", {**self.record, "kept": self._kept})

    def _read(self, path: str) -> Optional[Dict[str, Any]]:
        raw = self.host.read(path, RECORD)
        try:
            found = json.loads(raw) if raw else None
        except (ValueError, RecursionError):
            raise HostError(f"{path} is damaged: look at it, and take it away") from None
        return found if isinstance(found, dict) else None

    def _past(self, path: str) -> Optional[Dict[str, Any]]:
        """The same; one note of the past that can't be read hides no other."""
        try:
            return self._read(path)
        except HostError:
            return None

    def _write(self, path: str, data: Dict[str, Any]) -> None:
        self.host.write(path, json.dumps(data, indent=1), mode="0600")
