"""The rule that what runs has read what is on disk, asked of every machine of a cluster.

What belongs to a unit comes from the plans: the files that its service follows, and what
systemd itself names, the unit's own file and its drop-ins. Each must be older than the
unit's last start, or, if it asks for a reload only, than its last reload. And systemd must
have read all unit files.

A file that went back because a checker refused the new one is younger than a service that
has never seen another content: so ask after runs that came to a good end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from nodriza.agent.transaction import KEPT
from nodriza.inventory import Node
from nodriza.plan.plan import plan_node
from nodriza.resources import Service
from tests.lab.project import Project

# Times are seconds of the machine's monotonic clock. A file's ctime is the later one: it also
# moves when a file is renamed to its place. systemd writes the beginning of a reload into the
# journal only (systemd.journal-fields(7), SD_MESSAGE_UNIT_RELOADING in sd-messages.h).
LOOK = r"""
import json, os, subprocess, sys, time

def out(*argv):
    return subprocess.run(argv, capture_output=True, text=True).stdout

def show(*words):
    return [dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
            for block in out("systemctl", "show", *words).strip().split("\n\n")]

asked = json.load(sys.stdin)
until = time.monotonic() + 60
while time.monotonic() < until:
    units = show("--property=Id,ActiveState,SubState,Job,InactiveExitTimestampMonotonic,"
                 "ExecMainStartTimestampMonotonic,FragmentPath,DropInPaths", *asked)
    if not any(u["Job"] or u["ActiveState"] in ("activating", "deactivating", "reloading")
               for u in units):
        break
    time.sleep(0.3)
offset = time.time() - time.monotonic()

def written(path):
    try:
        return os.lstat(path).st_ctime - offset
    except FileNotFoundError:
        return None

def reloaded(unit):
    lines = out("journalctl", "--boot", "--unit", unit, "--output=json",
                "MESSAGE_ID=d34d037fff1847e6ae669a370e694725").splitlines()
    return max((int(json.loads(line)["__MONOTONIC_TIMESTAMP"]) / 1e6 for line in lines), default=0)

found = {}
for unit in units:
    times = [int(unit.get(key) or 0) / 1e6
             for key in ("InactiveExitTimestampMonotonic", "ExecMainStartTimestampMonotonic")]
    own = [unit["FragmentPath"], *unit["DropInPaths"].split()]
    wanted = asked[unit["Id"]]
    found[unit["Id"]] = {
        "state": unit["ActiveState"], "substate": unit["SubState"],
        "started": min([each for each in times if each], default=0),
        "reloaded": reloaded(unit["Id"]) if wanted["reload"] else 0,
        "restart": {path: written(path) for path in [*own, *wanted["restart"]] if path},
        "reload": {path: written(path) for path in wanted["reload"]},
    }
every = show("--property=Id,NeedDaemonReload", "*")
stale = [unit["Id"] for unit in every if unit.get("NeedDaemonReload") == "yes"]
print(json.dumps({"units": found, "stale": stale}))
"""
SLACK = 0.05
"""Seconds by which the clock of files, which has ticks, and the offset between the clocks may
differ."""


def unread(project: Project, nodes: Sequence[str] = ()) -> list[str]:
    """What does not hold, in words; nothing when all that runs has read what is on disk."""
    cluster = project.cluster
    chosen = [node for node in cluster.nodes if not nodes or node.name in nodes]
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda node: list(_unread(project, node)), chosen)
        return [words for each in found for words in each]


def services(project: Project, node: Node) -> dict[str, dict[str, list[str]]]:
    """Each unit that is to run, with the paths that ask for a restart or a reload of it."""
    plan = plan_node(node, project.cluster)
    paths = {
        planned.resource.id: planned.resource.subject
        for planned in plan.resources
        if planned.resource.id.partition(":")[0] in KEPT
    }
    return {
        each.full_unit: {
            "restart": [paths[id] for id in each.restart_on if id in paths],
            "reload": [paths[id] for id in each.reload_on if id in paths],
        }
        for each in (planned.resource for planned in plan.resources)
        if isinstance(each, Service) and each.running and not each.masked
    }


def _unread(project: Project, node: Node) -> Iterator[str]:
    asked = services(project, node)
    said = project.on(node.name, f"python3 -c '{_quoted(LOOK)}'", stdin=json.dumps(asked))
    answer = json.loads(said)
    for unit in answer["stale"]:
        yield f"{node.name}: systemd has not read the files of {unit}"
    for unit, seen in answer["units"].items():
        yield from (f"{node.name}: {unit} {words}" for words in _of_unit(seen))


def _of_unit(seen: dict[str, Any]) -> Iterator[str]:
    if seen["state"] != "active":
        yield f"is {seen['state']} ({seen['substate']})"
        return
    last = {"restart": seen["started"], "reload": max(seen["started"], seen["reloaded"])}
    for action, began in last.items():
        for path, written in seen[action].items():
            if written is not None and written > began + SLACK:
                yield f"has not read {path}: {written - began:.2f} s younger than its {action}"


def _quoted(text: str) -> str:
    return text.replace("'", "'\\''")
