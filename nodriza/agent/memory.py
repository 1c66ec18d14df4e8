"""What plans have made on this host, so that what is in no plan any more can be taken away.

A file for each cluster, of root's alone, with names and digests in it::

    {"file:/etc/web.conf": {"noun": "File", "made": true, "marks": ["<SHA-256>"],
                            "followers": {"service:web": "reload_on"}}}

Only a whole plan that came to a good end takes its place. Before something changes, what it
becomes is added to what it was: a run that is killed forgets neither.
"""

from __future__ import annotations

import json
from typing import Any, Dict, NamedTuple, Optional, Sequence, Set

from nodriza import resources as nouns
from nodriza.agent.journal import HOME, Journal
from nodriza.agent.transaction import FIELDS
from nodriza.host.errors import HostError
from nodriza.host.host import Host
from nodriza.resources.base import Resource, State, gap_between

FOLDER = f"{HOME}/plans"
BYTES = 4 * 1024 * 1024
"""Of a file; a node of ours has a hundredth."""
MARKS = 8
"""Of a resource: what it was before runs that were killed, and what they made of it."""
CLUSTERS = 20
"""Whose memories are read."""


Entry = Dict[str, Any]
"""A resource: its ``noun``; ``made``: a plan did, and found nothing there before; ``marks``; and
``followers``: ids of what reads it, each with the field that says so."""
Entries = Dict[str, Entry]
"""By id, in the order of the plan."""


class Found(NamedTuple):
    """``plan`` with what goes, which is ``left``. ``kept``: id to why it stays. ``asked``: ids
    that are to be thought of again, because another cluster has them.
    """

    plan: Sequence[Resource]
    left: Optional[Entries] = None
    kept: Optional[Dict[str, str]] = None
    asked: Sequence[str] = ()


class Memory:
    """Of one cluster. ``whole``: the plan at hand is all that it wants of this host."""

    def __init__(self, host: Host, cluster: str, *, whole: bool, home: str = HOME) -> None:
        self.host = host
        self.folder = f"{home}/plans"
        self.name = f"{cluster}.json"
        self.whole = whole
        self.broken = ""
        """Why nobody knows what is whose, in words."""
        self.entries = self._read(self.name)
        self._written = self._data()

    def gone(self, plan: Sequence[Resource]) -> Entries:
        """What it has and a whole plan has not."""
        ids = {resource.id for resource in plan} if self.whole else self.entries
        return {id: entry for id, entry in self.entries.items() if id not in ids}

    def of_others(self) -> Set[str]:
        """Ids of what other clusters have on this host."""
        names = [name for name in self.host.list(self.folder) if name.endswith(".json")]
        if len(names) > CLUSTERS:
            self.broken = f"{self.folder} has the memories of more than {CLUSTERS} clusters"
        return {id for name in names[:CLUSTERS] if name != self.name for id in self._read(name)}

    def note(self, group: Sequence[Resource], states: Dict[str, State]) -> None:
        """Before those of ``group`` change that differ from what is wanted.

        What is new here is only noted by a whole plan: no other would miss it.
        """
        for resource in group:
            mark, now = resource.mark(), states[resource.id]
            if mark is None or not gap_between(resource, now):
                continue
            entry = self.entries.get(resource.id)
            if entry is None and self.whole:
                entry = self.entries[resource.id] = _new(resource, made=resource.makes(now))
            if entry is not None and mark not in entry["marks"]:
                entry["marks"] = [*entry["marks"], mark][-MARKS:]
        self._write()

    def replace(self, journal: Journal, plan: Sequence[Resource], kept: Sequence[str]) -> None:
        """All of the plan is there, and what it has not has gone, but for ``kept``."""
        old, self.entries = self.entries, {id: self.entries[id] for id in kept}
        for resource in plan:
            mark = resource.mark()
            if mark is not None:
                made = resource.id in old and old[resource.id]["made"]
                self.entries[resource.id] = {**_new(resource, made=made), "marks": [mark]}
        for resource in plan:
            for field in FIELDS:
                for id in getattr(resource, field, ()):
                    if id in self.entries:
                        self.entries[id]["followers"].setdefault(resource.id, field)
        for id in old.keys() - self.entries.keys():
            journal.settle(id)
        self._write()

    def _write(self) -> None:
        data = self._data()
        if data != self._written:
            self.host.mkdirs(self.folder)
            self.host.own(self.folder, "root", "root", "0700")
            self.host.write(f"{self.folder}/{self.name}", data, mode="0600")
            self._written = data

    def _data(self) -> str:
        return json.dumps(self.entries)

    def _read(self, name: str) -> Entries:
        path = f"{self.folder}/{name}"
        try:
            raw = self.host.read(path, BYTES)
            return {id: _entry(id, **data) for id, data in json.loads(raw or "{}").items()}
        except (HostError, ValueError, TypeError, AttributeError, RecursionError):
            self.broken = f"{path} is damaged: look at it"
            return {}


def _entry(id: str, *, noun: Any, made: Any, marks: Any, followers: Any) -> Entry:
    """Checked. Raises ``ValueError`` or ``TypeError``."""
    words = [noun, *marks, *followers, *followers.values()]
    known = noun in nouns.__all__ and id.startswith(f"{noun.lower()}:")
    if not (known and all(isinstance(word, str) for word in words) and isinstance(made, bool)):
        raise ValueError(id)
    if not set(FIELDS).issuperset(followers.values()):
        raise ValueError(id)
    return {"noun": noun, "made": made, "marks": list(marks), "followers": dict(followers)}


def _new(resource: Resource, *, made: bool) -> Entry:
    return {"noun": type(resource).__name__, "made": made, "marks": [], "followers": {}}
