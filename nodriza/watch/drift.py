"""How hosts differ from their plans, and what is on them that should not be."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nodriza.plan.keepers import whole
from nodriza.plan.plan import Plan, plan_all
from nodriza.plan.render import Renderer
from nodriza.release.plan import as_recorded
from nodriza.release.record import of as of_facts
from nodriza.release.record import question
from nodriza.report.outcome import Outcome
from nodriza.report.words import details
from nodriza.rollout.query import ask

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node
    from nodriza.report.result import NodeResult
    from nodriza.vault.store import Vault

CLEAN, ERROR, DRIFT = 0, 1, 2
RELEASED = ("copy:", "intact:", "environment:")
"""How the resources begin that compare a release with what the builder wrote down."""


@dataclass(frozen=True)
class Drift:
    """One node: ``differs`` from its plan, resource to words; ``strays``: in nobody's plan."""

    node: str
    differs: dict[str, str]
    strays: tuple[str, ...]
    error: str
    seconds: float

    @property
    def clean(self) -> bool:
        """All as planned, and nothing else."""
        return not (self.differs or self.strays or self.error)

    @property
    def released(self) -> set[str]:
        """What differs and is of a release: a deploy mends it, and no provision."""
        return {id for id in self.differs if id.startswith(RELEASED)}

    @property
    def lines(self) -> Iterator[tuple[str, str]]:
        """What is wrong, each with the kind of it."""
        if self.error:
            yield "error", self.error
        for id, words in self.differs.items():
            yield "differs", f"{id} ({words})"
        for words in self.strays:
            yield "stray", words


def look(
    cluster: Cluster, nodes: Sequence[Node], vault: Vault, *, sudo_password: str | None = None
) -> list[Drift]:
    """Every node in one parallel pass; changes nothing."""
    plans = whole(cluster, plan_all(cluster, nodes))
    builder = cluster.builder.name
    about, alone = question(cluster), [Plan(builder, ())]
    first = ask(cluster, alone, about, sudo_password=sudo_password)[builder]
    if not first.error:  # if it is one, it is told with all others
        there, renderer = of_facts(first.facts["releases"]), Renderer.of(cluster)
        plans = [
            dataclasses.replace(
                plan, resources=(*plan.resources, *as_recorded(cluster, node, renderer, there))
            )
            for plan, node in zip(plans, nodes, strict=True)
        ]
    values = vault.ensure(set().union(*(plan.secrets for plan in plans)), keep=False)
    results = ask(cluster, plans, {"strays": None}, secrets=values, sudo_password=sudo_password)
    return [of(result) for result in results.values()]


def of(result: NodeResult) -> Drift:
    """What a check of a node and its ``strays`` come to.

    What would only follow from a difference (a reload) is not one.
    """
    wrong = [event for event in result.resources if event["status"] != "ok" and event["gap"]]
    differs = {event["id"]: details(event) for event in wrong}
    differs.update(dict.fromkeys(result.owed, "what an earlier run left due is not done"))
    strays = tuple(result.facts.get("strays", ()))
    error = str(result.error) if result.error else ""
    return Drift(result.node, differs, strays, error, result.seconds)


def exit_code(found: Sequence[Drift]) -> int:
    """1 when a node could not be asked, 2 when one differs, else 0."""
    if any(drift.error for drift in found):
        return ERROR
    return CLEAN if all(drift.clean for drift in found) else DRIFT


def words(found: Sequence[Drift], fab: str) -> Iterator[str]:
    """For people."""
    width = max(len(drift.node) for drift in found)
    for drift in found:
        for kind, text in drift.lines:
            first, *more = text.splitlines() or [""]
            yield f"{drift.node:<{width}}  {kind:<7}  {first}"
            yield from (f"{'':<{width}}           {line}" for line in more)
    differ = ",".join(drift.node for drift in found if drift.differs.keys() - drift.released)
    clean = sum(drift.clean for drift in found)
    yield f"{clean} of {len(found)} nodes are as planned"
    if differ:
        yield f"  next: {fab} provision:{differ} --check --diff, and without --check to mend it"
    if any(drift.released for drift in found):
        yield f"  a release that somebody has changed is made anew by: {fab} deploy"
    if any(drift.strays for drift in found):
        yield "  strays are in no plan: nothing here takes them away. If they belong there, say"
        yield "  so in the inventory; if not, take them away by hand"


def as_json(found: Sequence[Drift]) -> str:
    """For machines."""
    nodes: dict[str, Any] = {
        drift.node: {
            "clean": drift.clean,
            "differs": drift.differs,
            "strays": drift.strays,
            "error": drift.error or None,
        }
        for drift in found
    }
    return json.dumps({"clean": all(drift.clean for drift in found), "nodes": nodes})


def outcomes(found: Sequence[Drift]) -> list[Outcome]:
    """One test case a node, for JUnit."""
    return [
        Outcome(
            f"{drift.node} is as planned",
            drift.seconds,
            "\n".join(f"{kind}: {text}" for kind, text in drift.lines),
        )
        for drift in found
    ]
