"""Where the processes of an application run, and exactly once where that is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nodriza.inventory.kinds import KINDS
from nodriza.inventory.roles import BESIDE, merged_roles
from nodriza.inventory.sections.app import AppSettings
from nodriza.inventory.sections.processes import EACH, ONE, Process
from nodriza.wording import did_you_mean

if TYPE_CHECKING:
    from nodriza.inventory.yaml.partial import Draft

_, RUNS, OWN = BESIDE
RUN = tuple(kind for kind, about in KINDS.items() if RUNS in about.roles)
"""The kinds of nodes that run the application."""


def placed(
    processes: Mapping[str, Process], nodes: Sequence[tuple[str, str]]
) -> dict[str, tuple[str, ...]]:
    """Each node's processes by name; ``nodes`` are names with their kinds, in order."""
    found: dict[str, list[str]] = {}
    for name, process in processes.items():
        for node in _where(process.on, nodes):
            found.setdefault(node, []).append(name)
    return {node: tuple(its) for node, its in found.items()}


def without_role(draft: Draft, names: Mapping[str, tuple[str, ...]]) -> None:
    """A list of roles by hand that leaves them out would leave them out without a word."""
    for node in draft.nodes:
        if node.name not in names:
            continue
        kind = draft.kinds.get(str(node.kind))
        levels = (
            (("roles",), draft.everywhere.roles if draft.everywhere else None),
            (("kinds", str(node.kind), "roles"), kind.roles if kind else None),
            ((*node.path, "roles"), node.settings.roles if node.settings else None),
        )
        if OWN not in merged_roles((OWN,), *(roles for _, roles in levels)):
            path = next(path for path, roles in reversed(levels) if roles is not None)
            words = f'without "{OWN}" {", ".join(names[node.name])} of app/processes does not run'
            draft.document.complain(path, node.named(words), topic="processes")


def _where(on: str, nodes: Sequence[tuple[str, str]]) -> list[str]:
    running = [(name, kind) for name, kind in nodes if kind in RUN]
    if on == ONE:
        ranked = sorted(running, key=lambda each: KINDS[each[1]].once)
        return [name for name, _ in ranked[:1]]
    if on == EACH:
        return [name for name, _ in running]
    if on in KINDS:
        return [name for name, kind in nodes if kind == on]
    return [name for name, _ in nodes if name == on]


def check_processes(draft: Draft) -> None:
    """Each can be run as it is written, and there is a node for it."""
    app = draft.part(AppSettings)
    nodes = [(node.name, str(node.kind)) for node in draft.nodes if node.name]
    names = {name for name, _ in nodes}
    without_role(draft, placed(app.processes if app else {}, nodes))
    for name, process in (app.processes if app else {}).items():
        place, complain = ("app", "processes", name), draft.document.complain
        said = draft.document.data["app"]["processes"][name]
        if wrong := process.wrong():
            complain((*place, wrong[0]) if isinstance(said, dict) else place, wrong[1])
        on = process.on
        if on not in (ONE, EACH, *KINDS) and on not in names:
            near = did_you_mean(on, [ONE, EACH, *KINDS, *names])
            complain((*place, "on"), f'no node and no kind is called "{on}"{near}')
        elif nodes and not _where(on, nodes):
            what = (
                f"no node is of the kind {on}" if on in KINDS else "no node runs the application"
            )
            complain((*place, "on") if isinstance(said, dict) and "on" in said else place, what)
        elif (about := KINDS.get(dict(nodes).get(on, ""))) and about.one and not about.serves:
            complain(
                (*place, "on"),
                f"{on} makes releases and does not serve them, so it could not go back from one:"
                " write the name of another node",
            )
