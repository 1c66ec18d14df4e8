"""fab history, fab rollback"""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke import Context, Exit

from .kinds import WAIT, FromNought, Nodes, Text
from .session import command, fab, reachable_cluster, sudo_password, vault

if TYPE_CHECKING:
    from nodriza.ssh.facts import Record


@command(
    subject="target",
    reads=True,
    connects=True,
    help={
        "run": "all about this run; a part of its id is enough",
        "json": "as data",
    },
)
def history(c: Context, target: Nodes = "", run: Text = "", json: bool = False) -> None:
    """List what was done to the nodes: who, when, from which revision, what changed."""
    import json as js

    from nodriza.inventory import resolve_target
    from nodriza.watch import history as engine

    cluster = reachable_cluster(c, target)
    nodes = resolve_target(cluster, target)
    found = engine.read(cluster, nodes, sudo_password=sudo_password(c))
    entries = [found.find(run)] if run else found.entries
    if json:
        print(js.dumps([{"run": entry.id, "nodes": entry.nodes} for entry in entries]))
    else:
        lines = engine.story(entries[0]) if run else engine.table(found)
        print("\n".join(lines))
    if found.errors:
        raise Exit("\n".join(map(str, found.errors.values())), code=1)


@command(
    subject="target",
    connects=True,
    help={
        "target": "nodes, as in provision; of these, those that had the run",
        "run": "its id, or a part of it; fab history lists them",
        "force": "also when a later run replaced the same files",
        "check": "change nothing, say what would change",
        "diff": "show how files change; secrets stay hidden",
        "json": "one JSON object per event, for machines",
        "wait": WAIT,
    },
)
def rollback(
    c: Context,
    run: Text,
    target: Nodes = "",
    force: bool = False,
    check: bool = False,
    diff: bool = False,
    json: bool = False,
    wait: FromNought = 0,
) -> None:
    """Put the files of a run back as they were, and reload what depends on them."""
    from nodriza.change.rollback import not_undone
    from nodriza.change.rollback import rollback as roll_back
    from nodriza.inventory import resolve_target
    from nodriza.report import make_report
    from nodriza.rollout.waves import exit_code
    from nodriza.watch.history import read

    cluster = reachable_cluster(c, target)
    store, password = vault(cluster), sudo_password(c)
    found = read(cluster, resolve_target(cluster, target), sudo_password=password)
    entry = found.find(run)
    again = f"{fab(c)} rollback:{{node}} --run {entry.id}"
    report = make_report("json" if json else "auto", diff=diff, again=again, redact=store.redact)
    results = roll_back(
        cluster,
        found,
        entry,
        store,
        report,
        check=check,
        force=force,
        diff=diff,
        wait=wait,
        sudo_password=password,
    )
    if not json:
        for line in not_undone(entry):
            print(line)
        print(
            "the inventory still asks for what it asked for: the next provision brings it"
            f" back.\n  next: correct it{_before(entry.record)}, then {fab(c)} provision --check"
        )
    if code := exit_code(results):
        raise Exit(code=code)


def _before(record: Record) -> str:
    revision = record.get("revision", "").rstrip("+")
    return f" (the run was made from git {revision})" if revision else ""
