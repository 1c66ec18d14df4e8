"""What the host remembers between runs, in /var/lib/nodriza.

::

    owed/service%3Anginx.json   what is due after a change (a restart, a command), and what
                         replaced what since then; written before the first file changes
    runs/<run>/          the old files of a run, and run.json: who, when, what changed
    lock                 who is at work (locked with flock(2), so a dead run holds nothing)

One mechanism with four uses: restarts that must not be lost, putting a rejected change
back, history, and rolling back.
"""

from __future__ import annotations

import fcntl
import json
import os
from typing import Any, Dict, List, Optional
from urllib.parse import quote, unquote

from nodriza.agent.host import Host

HOME = "/var/lib/nodriza"


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
        self._lock: Optional[int] = None

    def lock(self, holder: Dict[str, Any]) -> None:
        """Take the host for this run, or raise ``Busy``. Held until the process ends."""
        self._make(self.home)
        path = self.host.at(f"{self.home}/lock")
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with os.fdopen(fd) as file:
                raise Busy(json.loads(file.read() or "{}")) from None
        os.ftruncate(fd, 0)
        os.write(fd, json.dumps(holder).encode())
        self._lock = fd

    def owed(self, id: str) -> Optional[Dict[str, Any]]:
        """What is due for a resource: ``id``, ``action``, ``run``, ``since``, ``files``."""
        raw = self.host.read(self._debt(id))
        return json.loads(raw) if raw else None

    def owe(self, id: str, action: str, path: Optional[str], since: str) -> None:
        """Write down that resource ``id`` owes ``action``, and keep ``path`` as it is now.

        Called before the change. What an earlier run kept stays kept: the service has
        been running with that. ``restart`` outweighs ``reload``.
        """
        debt = self.owed(id) or {"id": id, "run": self.run, "since": since, "files": []}
        if debt.get("action") != "restart":
            debt["action"] = action
        if path is not None and all(kept["path"] != path for kept in debt["files"]):
            debt["files"].append(self._keep(path))
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
        names = self.host.list(f"{self.home}/owed")
        found = [unquote(name[: -len(".json")]) for name in names if name.endswith(".json")]
        return [debt for debt in map(self.owed, found) if debt]

    def remember(self, summary: Dict[str, Any]) -> None:
        """Write down what this run did."""
        self._write(f"{self._folder()}/run.json", summary)

    def last_run(self) -> Optional[Dict[str, Any]]:
        """The summary of the newest run that changed something."""
        for name in reversed(self.host.list(f"{self.home}/runs")):
            raw = self.host.read(f"{self.home}/runs/{name}/run.json")
            if raw:
                summary: Dict[str, Any] = json.loads(raw)
                return summary
        return None

    def _keep(self, path: str) -> Dict[str, Any]:
        seen = self.host.stat(path)
        if seen is None:
            return {"path": path, "type": "nothing"}
        kept = {"path": path, **seen._asdict()}
        if seen.type == "link":
            kept["target"] = self.host.readlink(path)
        elif seen.type == "file":
            folder = self._folder()
            kept["copy"] = f"{folder}/{len(self.host.list(folder)):04d}"
            self.host.write(kept["copy"], self.host.read(path) or b"", mode="0600")
        return kept

    def _put_back(self, kept: Dict[str, Any]) -> None:
        path = kept["path"]
        if kept["type"] == "nothing":
            self.host.remove(path)
        elif kept["type"] == "link":
            self.host.symlink(path, kept["target"])
        elif kept["type"] == "file":
            content = self.host.read(kept["copy"]) or b""
            self.host.write(
                path, content, owner=kept["owner"], group=kept["group"], mode=kept["mode"]
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
        return f"{self.home}/owed/{quote(id, safe='')}.json"

    def _write(self, path: str, data: Dict[str, Any]) -> None:
        self.host.write(path, json.dumps(data, indent=1), mode="0600")
