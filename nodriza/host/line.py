"""The line to the controller: events go out, its few words come in."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import time
import zlib
from typing import Any, BinaryIO, Dict, Iterator, Optional, Sequence, Set, Tuple

from nodriza.host.awake import Awake
from nodriza.host.errors import HostError, Stopped
from nodriza.host.program import SIGN
from nodriza.host.redact import HIDDEN, Redactor, hide_old_values, holds_secrets

HERE, TURN, DATA = b".", b"\n", b"+"
"""A byte each: somebody is there; this node may change; data follow, their length in four bytes
(big-endian) before them, and none at the end of all. Their end: nobody wants the rest."""
WAITING = 8
"""Pieces of data that are read ahead. More are not taken from the line, so they stay where they
come from: neither end needs memory for all of it."""
ABSENT = 90
"""Seconds without a sign after which nobody waits for a turn. A laptop may sleep for days, and
this host must not be held by its run."""
WORDS = 500
"""Characters of a failure's words that a host remembers."""
LONGEST = {"words": 20_000, "diff": 64_000}
"""Characters of them that travel: the beginning and the end, and how much is missing."""
RECORD = 768 * 1024
"""Bytes of an event; the controller takes no more (nodriza/ssh/conversation.py)."""


class EventStream:
    """The events on their way to the controller; when the line breaks, the run winds down."""

    def __init__(self, stream: BinaryIO, redactor: Redactor, described: Dict[str, Any]) -> None:
        self.stream = stream
        self.redactor = redactor
        self.described = described  # id → the resource's data with tokens
        self.broken = False
        self.counts_ok = True
        """Whether the resources come in the order of the request: those that are ok are then
        only counted."""
        self.closed: Set[str] = set()
        """Ids of files that hold secrets which nobody here knows: their diffs aren't shown."""
        self.told: Dict[str, Any] = {}
        """What is worth remembering: id → how it changed or failed."""
        self._ok = 0

    def emit(self, event: Dict[str, Any]) -> None:
        """Send an event, with no secret in it."""
        if self.counts_ok and event["event"] == "resource" and event["status"] == "ok":
            self._ok += 1
            return
        if self._ok:
            count, self._ok = self._ok, 0
            self.emit({"event": "ok", "count": count})
        safe = self.redactor.hide(event)
        if event["event"] == "resource" and event["status"] in ("changed", "failed"):
            kept = {key: safe[key] for key in ("status", "gap")}
            self.told[safe["id"]] = {**kept, "words": safe["words"][:WORDS]}
        if safe.get("diff") and safe["id"] in self.closed:
            safe["diff"] = HIDDEN
        data = self.described.get(safe.get("id", ""))
        if safe.get("diff") and data and holds_secrets(data):
            safe["diff"] = hide_old_values(safe["diff"], str(data.get("content", "")))
        for name, most in LONGEST.items():
            if len(safe.get(name, "")) > most:
                safe[name] = shortened(safe[name], most)
        # A file's name may have bytes in it that are no text.
        record = json.dumps(safe, ensure_ascii=False).encode("utf-8", "replace")
        if len(record) > RECORD:
            words = f"an event of {len(record)} bytes can't be sent: {safe['event']}"
            record = json.dumps({"event": "error", "words": words}).encode()
        try:
            self.stream.write(b"\x1e" + record + b"\n")
            self.stream.flush()
        except OSError:
            self.broken = True


def shortened(text: str, most: int) -> str:
    """The beginning and the end of a text."""
    half = most // 2
    missing = f"[… {len(text) - 2 * half} characters left out …]"
    return f"{text[:half]}\n{missing}\n{text[-half:]}"


class Controller:
    """What comes from the other end of the line while the plan is at work."""

    def __init__(self, stdin: int, line: EventStream) -> None:
        self.line = line
        self.stopping = threading.Event()
        self._turn = threading.Event()
        self._silence = Awake()
        self._pieces: Optional[queue.Queue[bytes]] = None
        threading.Thread(target=self._listen, args=(stdin,), daemon=True).start()

    def wants_no_more(self) -> bool:
        """The plan is to end after the resource that it is at."""
        return self.stopping.is_set() or self.line.broken

    def ask(self, serves: bool) -> bool:
        """Wait for this node's turn to change, and say whether it came."""
        self._turn.clear()
        self.line.emit({"event": "turn", "serves": serves})
        while not (self._turn.wait(0.1) or self.wants_no_more()):
            if self._silence.seconds() > ABSENT:
                words = f"no sign of the controller for {ABSENT} s, so its turn can't come"
                self.line.emit({"event": "warning", "words": words})
                return False
        return not self.wants_no_more()

    def stay(self) -> None:
        """Until the controller leaves: this process has something that it needs."""
        while not (self.stopping.wait(0.5) or self._silence.seconds() > ABSENT):
            continue

    def fetch(self, sha256: str, parts: Sequence[Tuple[int, int]]) -> Iterator[bytes]:
        """The bytes of some parts of a source (``nodriza.source.tree``), a piece at a time.

        Raises ``HostError`` when the controller goes away, and ``Stopped`` when it stops.
        """
        pieces: queue.Queue[bytes] = queue.Queue(WAITING)
        self._pieces = pieces
        self.line.emit({"event": "wants", "sha256": sha256, "parts": parts})
        plain = zlib.decompressobj()
        sign = time.monotonic()
        try:
            while piece := self._next(pieces):
                yield plain.decompress(piece)
                if time.monotonic() > sign + SIGN:
                    self.line.emit({"event": "alive"})
                    sign = time.monotonic()
        except zlib.error as error:
            raise HostError(f"the source came damaged: {error}") from None
        finally:
            self._pieces = None

    def _next(self, pieces: queue.Queue[bytes]) -> bytes:
        while not self.wants_no_more():
            with contextlib.suppress(queue.Empty):
                return pieces.get(timeout=0.2)
            if self._silence.seconds() > ABSENT:
                raise HostError(f"no sign of the controller for {ABSENT} s: the source is missing")
        raise Stopped("the run was stopped while the source was on its way")

    def _listen(self, stdin: int) -> None:
        with open(stdin, "rb", closefd=False) as stream:
            while said := stream.read(1):
                self._silence.begin_anew()
                if said == TURN:
                    self._turn.set()
                elif said == DATA:
                    self._take(stream.read(int.from_bytes(stream.read(4), "big")))
        self.stopping.set()

    def _take(self, piece: bytes) -> None:
        """Hand a piece on; it is dropped once nobody waits for it."""
        self._silence.begin_anew()
        while pieces := self._pieces:
            with contextlib.suppress(queue.Full):
                pieces.put(piece, timeout=0.2)
                return
