"""Hosts that speak from a script: some honest, some not. No SSH, only what comes after it."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

from nodriza.ssh import agent_archive as pack

Speech = Callable[[dict[str, Any]], Iterable[bytes]]
"""From a request to what is said on stdout."""


def record(event: Any) -> bytes:
    """One event as the agent writes it."""
    return b"\x1e" + json.dumps(event).encode() + b"\n"


def spoken(said: list[Any]) -> bytes:
    """All of them."""
    return b"".join(map(record, said))


def start(request: dict[str, Any], **more: Any) -> dict[str, Any]:
    count = len(request["resources"])
    rest = {"python": "3.11.2", "check": request["mode"] == "check", "clock": time.time()}
    return {"event": "start", "resources": count, "left": {}, **rest, **more}


def end(request: dict[str, Any], **more: Any) -> dict[str, Any]:
    counts = {"ok": len(request["resources"]), "changed": 0, "failed": 0, "skipped": 0}
    return {"event": "end", **counts, "seconds": 0.1, **more}


def facts(request: dict[str, Any]) -> dict[str, Any]:
    """The answers of a host that is well."""
    about = request["ask"].get("state", {})
    all_ = {
        "history": [past("20261101T101500Z-0a1b2c", "/etc/motd")],
        "listing": {f"{pattern.partition('*')[0]}abc": 5.0 for pattern in about_list(request)},
        "strays": [],
        "state": {
            "system": "Debian GNU/Linux 12 (bookworm)",
            "uptime": 90000,
            "load": 0.5,
            "memory": 41,
            "disk": 12,
            "mounts": {"/srv/videoteca": 40},
            "health": {"health:x": [200, "ok"]},
            "links": dict.fromkeys(about.get("links", ()), "/srv/videoteca/releases/abc"),
            "certificates": dict.fromkeys(about.get("certificates", ()), None),
            "versions": {"nginx": "1.22.1-9"},
            "owed": [],
            "reboot": "",
            "marks": {path: [] for path in about.get("marks", ())},
            "last_run": {k: v for k, v in past("20261101T101500Z-0a1b2c").items() if k != "kept"},
            "clock": time.time(),
        },
        "releases": {
            "served": [{"release": "abc", "at": 1.0, "how": "deploy", "commit": "1a2b3c4"}],
            "current": "abc",
            "seals": {},
            "venvs": {},
            "working": [],
            "pythons": {},
        },
    }
    return {"event": "facts", **{word: all_[word] for word in request["ask"]}}


def about_list(request: dict[str, Any]) -> Sequence[str]:
    return request["ask"].get("listing", ())


def past(run: str, *paths: str) -> dict[str, Any]:
    counts = {"ok": 9, "changed": 1, "failed": 0, "skipped": 0}
    who = {"who": "ana", "from": "laptop", "what": "provision", "revision": ""}
    kept = [{"path": path, "type": "file", "owner": "root"} for path in paths]
    return {"run": run, **who, "when": "2026-11-01T10:15:00Z", "counts": counts, "kept": kept}


def events(request: dict[str, Any]) -> list[dict[str, Any]]:
    """All that an honest host says."""
    count = len(request["resources"])
    return [
        start(request),
        *([facts(request)] if request["ask"] else []),
        *([{"event": "ok", "count": count}] if count else []),
        end(request),
    ]


def honest(request: dict[str, Any]) -> Iterator[bytes]:
    """What an honest host says."""
    return map(record, events(request))


class Channel:
    """What ``nodriza.ssh.channel`` needs of paramiko's; ``stderr`` is said beside the speech."""

    def __init__(self, speech: Speech, stderr: Iterable[bytes] = (), exit: int = 0) -> None:
        self._speech, self._stderr = speech, iter(stderr)
        self._said: Iterator[bytes] | None = None
        self._heard = b""
        self._mark = b""
        self._asked = threading.Event()
        self.exit_status = exit
        self.closed = self.eof_received = False
        self.status_event = threading.Event()
        self.status_event.set()

    def exec_command(self, command: str) -> None:
        self.command = command
        coded = "".join(word for word in command.split() if len(word) > 99)
        said = base64.b64decode(coded + "===").decode("utf-8", "replace")
        mark = re.search("nodriza-begins-[0-9a-f]+", said)
        self._mark = mark[0].encode() if mark else b""

    def settimeout(self, seconds: float | None) -> None:
        pass

    def set_combine_stderr(self, combine: bool) -> None:
        pass

    def sendall(self, data: bytes) -> None:
        self._heard += data
        self._asked.set()

    def shutdown_write(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def recv_stderr(self, size: int) -> bytes:
        return b"" if self.closed else next(self._stderr, b"")

    def recv(self, size: int) -> bytes:
        if self._mark:
            said, self._mark = self._mark, b""
            return said
        if self._said is None:
            self._said = iter(self._speech(self._request()))
        if self.closed:
            return b""
        for data in self._said:
            if data:
                return data
        return b""

    def recv_exit_status(self) -> int:
        return self.exit_status

    def _request(self) -> dict[str, Any]:
        if self.command in (pack.command(""), pack.command("", looks=True)):
            assert self._asked.wait(10)
            body = self._heard.partition(b"\n")[2]
            request: dict[str, Any] = json.loads(zlib.decompress(body))
            return request
        return {}


class Connection:
    """A way to a host that is there at once."""

    def __init__(self, speech: Speech, **options: Any) -> None:
        self.user, self.host, self.connect_kwargs = "root", "198.18.7.9", {"timeout": 10}
        self.channel = Channel(speech, **options)
        self.transport = SimpleNamespace(
            open_session=lambda **_: self.channel,
            get_exception=lambda: None,
            is_active=lambda: True,
        )
        self.client = SimpleNamespace(close=self.channel.close)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()


REQUEST: dict[str, Any] = {
    "mode": "apply",
    "rollback": "",
    "releases": False,
    "cluster": "test",
    "whole": False,
    "ask": {"history": None},
    "resources": [{"id": f"file:/{number}"} for number in range(3)],
}
"""What the tests of conversations ask a host for."""
EVENTS = START, FACTS, OK3, END = events(REQUEST)
"""What an honest one says to that."""
