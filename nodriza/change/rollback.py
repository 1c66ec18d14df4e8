"""The way back: the files that a run replaced, where they were."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nodriza.errors import HostRefused, TargetError
from nodriza.plan.plan import plan_all
from nodriza.rollout.run import Run
from nodriza.rollout.waves import roll_out
from nodriza.wording import count

if TYPE_CHECKING:
    from nodriza.inventory import Cluster
    from nodriza.report import Report
    from nodriza.report.result import NodeResult
    from nodriza.ssh.facts import Record
    from nodriza.vault.store import Vault
    from nodriza.watch.history import Entry, History


FILES = ("file:", "link:", "absent:")


def rollback(
    cluster: Cluster,
    history: History,
    entry: Entry,
    vault: Vault,
    report: Report,
    *,
    check: bool = False,
    force: bool = False,
    **options: Any,
) -> dict[str, NodeResult]:
    """Put the files back that a run replaced, on the nodes of ``history`` that had it.

    Refused, before any host is touched, when a later run replaced one of them as well,
    unless ``force``.
    """
    _refuse(history, entry, force=force)
    nodes = [node for node in cluster.nodes if node.name in entry.nodes]
    plans = plan_all(cluster, nodes)
    values = vault.ensure(set().union(*(plan.secrets for plan in plans)), keep=False)
    what = f"rollback --run {entry.id}"
    run = Run(cluster, report, values, what, check=check, rollback=entry.id, **options)
    return roll_out(run, plans)


def _refuse(history: History, entry: Entry, *, force: bool) -> None:
    if history.errors:
        raise HostRefused(
            f"its history is not known: {next(iter(history.errors.values())).what}",
            where=", ".join(history.errors),
            kept="nothing was changed on any node",
        )
    if entry.record.get("what", "").startswith("deploy"):
        raise TargetError(
            f"{entry.id} was a deploy",
            kept="nothing was changed",
            do="fab deploy --rollback, which goes to the release before",
        )
    if not any(_can_come_back(record) for record in entry.nodes.values()):
        raise TargetError(
            f"{entry.id} replaced no files: there is nothing that could be put back",
            kept="nothing was changed",
            do=f"fab history --run {entry.id}, to see what it did",
        )
    for later in [] if force else later_runs(history, entry):
        node, paths = later.nodes, sorted(_shared(later, entry))
        raise HostRefused(
            f"{later.id} ({later.record.get('what')}, by {later.who}) replaced some of the same"
            f" files later: {', '.join(paths)}",
            where=", ".join(node),
            kept="nothing was changed on any node",
            do=f"roll that one back first (--run {later.id}), or --force to lose what it did",
        )


def later_runs(history: History, entry: Entry) -> list[Entry]:
    """The runs after ``entry`` that replaced a file which it had replaced, newest first.

    A rollback of it doesn't count: it may be asked for again.
    """
    return [
        later
        for later in history.entries
        if later.id > entry.id
        and _shared(later, entry)
        and later.record.get("what") != f"rollback --run {entry.id}"
    ]


def _shared(one: Entry, other: Entry) -> set[str]:
    return {
        path
        for node in one.nodes.keys() & other.nodes.keys()
        for path in _paths(one.nodes[node]) & _paths(other.nodes[node])
    }


def _paths(record: Record) -> set[str]:
    return {kept["path"] for kept in record["kept"]}


def _can_come_back(record: Record) -> list[str]:
    return [kept["path"] for kept in record["kept"] if kept["type"] in ("nothing", "link", "file")]


def not_undone(entry: Entry) -> Iterator[str]:
    """What a rollback leaves as the run made it: all that is not a file."""
    for node, record in entry.nodes.items():
        changed = [
            id
            for id, event in record.get("resources", {}).items()
            if event["status"] == "changed"
            and not id.startswith(FILES)
            and ("left" in event["gap"] or not id.startswith("service:"))
        ]
        if changed:
            shown = ", ".join(changed[:4]) + (" …" if len(changed) > 4 else "")
            yield f"{node}: not undone: {count(len(changed), 'resource')} of other kinds: {shown}"
