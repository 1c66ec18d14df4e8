"""The record of which release served when; what is not in it never served."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Dict, List, Sequence

from nodriza.resources.base import Resource, State

if TYPE_CHECKING:
    from nodriza.host.host import Host

MOST = 1000
"""Entries that are kept: a deploy every working day for four years."""


@dataclass(frozen=True)
class Served(Resource):
    """``release`` is the last entry of ``record``, a file on the host's own disk.

    It stands before the link ``current`` to the release in use, so that a run that is killed
    between the two leaves an entry that never served, and never a release that serves
    without one. Whoever reads the record next drops that entry: ``current`` knows better.
    ``how``: "deploy", or "rollback" for a release that had served before.

    Without ``current`` the last entry is what serves: the link has been switched before, as all
    others have, and a run that is killed before this entry is no deploy.
    """

    record: str
    release: str
    current: str = ""
    how: str = "deploy"
    commit: str = ""

    ALONE: ClassVar[bool] = True  # only once the release has passed every check before

    def wanted(self) -> State:
        """The release."""
        return {"last": self.release}

    @classmethod
    def look(cls, host: Host, many: Sequence[Served]) -> List[State]:
        """The last entry as it is written."""
        return [{"last": _last(_read(host, one.record))} for one in many]

    def fix(self, host: Host, now: State) -> None:
        """One entry more, after those that really served."""
        entries = read_record(host, self.record, self.current)[-MOST + 1 :]
        entries.append(
            {
                "release": self.release,
                "at": round(time.time(), 3),
                "how": self.how,
                "commit": self.commit,
            }
        )
        host.mkdirs(os.path.dirname(self.record))
        lines = "".join(json.dumps(entry) + "\n" for entry in entries)
        host.write(self.record, lines, mode="0600")


def read_record(host: Host, record: str, current: str) -> List[Dict[str, Any]]:
    """What served, the oldest first; the last one is what ``current``, if given, leads to now.

    Each has ``release``, ``at`` (seconds since the epoch, for people: the order of the entries
    is what counts), ``how`` and ``commit``. A release that serves and has no entry, because
    somebody switched the link by hand, gets one here.
    """
    entries = _read(host, record)
    if not current:
        return entries
    serves = in_use(host, current)
    if not serves:
        return entries[:-1]  # the first deploy was killed before its switch, or the link is gone
    known = [entry["release"] for entry in entries]
    if serves not in known:
        missing = {"release": serves, "at": 0.0, "how": "deploy", "commit": ""}
        return [*entries, missing]
    return entries[: len(known) - known[::-1].index(serves)]


def in_use(host: Host, current: str) -> str:
    """The name of the release that the link leads to; empty where there is none."""
    return os.path.basename((host.readlink(current) or "").rstrip("/"))


def _read(host: Host, record: str) -> List[Dict[str, Any]]:
    lines = (host.read(record) or b"").decode("utf-8", "replace").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def _last(entries: Sequence[Dict[str, Any]]) -> str:
    return str(entries[-1]["release"]) if entries else ""
