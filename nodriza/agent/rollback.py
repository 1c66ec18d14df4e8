"""Going back: the files that a run replaced, as resources of a run of its own.

So a rollback is checked, shown as a diff, rejected by a checker and remembered as any
other change is; it can be rolled back as well.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Iterator, List, Sequence, Set

from nodriza.agent.journal import Journal
from nodriza.agent.transaction import FIELDS, KEPT, following
from nodriza.host.errors import HostError
from nodriza.host.redact import holds_secrets
from nodriza.resources.absent import Absent
from nodriza.resources.base import Resource
from nodriza.resources.directory import Directory
from nodriza.resources.file import File
from nodriza.resources.link import Link
from nodriza.resources.zone import Zone


def rolled_back(journal: Journal, plan: Sequence[Resource], run: str) -> List[Resource]:
    """The files of ``run`` as they were before it, then what in ``plan`` follows them."""
    record = next((each for each in journal.history() if each["run"] == run), None)
    if record is None:
        raise HostError(f"there is no run {run} in this host's history; nothing was changed")
    # A zone is made from who is in rotation now; and a number that shrinks is not believed.
    zones = {resource.subject for resource in plan if isinstance(resource, Zone)}
    files = list(_files(journal, [each for each in record["kept"] if each["path"] not in zones]))
    left = record.get("left", {})
    folders = [
        Directory(*entry["marks"][-1].split("\n"))
        for entry in left.values()
        if entry["noun"] == "Directory"
    ]
    plan = following(plan, left)
    return [*folders[::-1], *files, *_followers(plan, {file.subject: file.id for file in files})]


def closed(files: Sequence[Resource], described: Dict[str, Any]) -> Set[str]:
    """The ids of old files that may hold secrets: those not for everybody's eyes, and those
    that hold some by now (``described``: the plan's data, with tokens).
    """
    secret = {data.get("path") for data in described.values() if holds_secrets(data)}
    return {
        file.id
        for file in files
        if file.subject in secret or int(str(getattr(file, "mode", "0644")), 8) & 0o004 == 0
    }


def _files(journal: Journal, kept: Sequence[Dict[str, Any]]) -> Iterator[Resource]:
    for each in reversed(kept):
        path = each["path"]
        now = journal.host.stat(path)
        if now and now.type == "directory":
            raise HostError(f"{path} is a directory by now; nothing was changed")
        if each["type"] == "nothing":
            yield Absent(path)
        elif each["type"] == "link":
            yield Link(path, each["target"])
        elif each["type"] == "file":
            yield File(
                path,
                journal.content(each),
                owner=each["owner"],
                group=each["group"],
                mode=each["mode"],
            )


def _followers(plan: Sequence[Resource], ids: Dict[str, str]) -> Iterator[Resource]:
    """What follows a path of ``ids``, directly or not, now following its old content."""
    moved = {id: id for id in ids.values()}
    for resource in plan:
        kind = resource.id.split(":", 1)[0]
        if kind in KEPT and resource.subject in ids:
            moved[resource.id] = ids[resource.subject]
            continue
        follows = {
            field: tuple(moved[id] for id in getattr(resource, field) if id in moved)
            for field in FIELDS
            if getattr(resource, field, ())
        }
        if any(follows.values()) or resource.FOLLOWS_ALL:
            moved[resource.id] = resource.id
            yield dataclasses.replace(resource, **follows)
