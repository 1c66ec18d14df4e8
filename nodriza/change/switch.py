"""A release to every node: taken, switched to in turns, and written down, or gone back from.

Nodes have a link each, so that one child after the other can take the release, be asked how
it is, and go back if it is not well. What served before is what they go back to. The node that
builds releases writes down what serves when all of them do; a deploy that ends before that is no
deploy, and the next provision brings every node back to what is written down.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nodriza.errors import Interrupted, NodrizaError
from nodriza.plan.plan import Plan
from nodriza.plan.render import Renderer
from nodriza.release.plan import record_plan, release_plan
from nodriza.release.record import Releases, of, read
from nodriza.release.release import Release, takers

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node
    from nodriza.report import Report
    from nodriza.report.result import NodeResult

Results = dict[str, "NodeResult"]


class Switch:
    """The waves that follow once the builder (``Cluster.builder``) has the release ``id``.

    ``how``: "deploy" or "rollback". After the run ``to`` is the release, and ``words`` say who
    serves what.
    """

    def __init__(self, cluster: Cluster, id: str, venv: str, commit: str, how: str) -> None:
        self.cluster = cluster
        self.renderer = Renderer.of(cluster)
        self.how = how
        # As good as it is known: a check may be about a release that is not there yet.
        self.to = Release(id, commit=commit, venv=venv)
        self.there = Releases((), "", ())
        self.known = False
        """Whether the builder has said what there is."""
        self.built = False
        """Whether it has what the others are to take."""
        self.away: list[str] = []
        self.serving: list[str] = []

    @property
    def waves(self) -> Sequence[Any]:
        """For ``Run.waves``."""
        return (self.take, self.settle)

    def take(self, results: Results) -> list[Plan]:
        """Every node that runs the application takes the release; the builder where it serves.

        Nobody switches before all have it: a page of the first child's asks any other child for
        what belongs to it. What is not good on one node is switched to on none.
        """
        built = results[self.cluster.builder.name]
        if "releases" in built.facts:
            self.there, self.known = of(built.facts["releases"]), True
        if built.bad:
            return []
        self.built = True
        known = self.there.get(self.to.id) or self._foretold()
        self.to = dataclasses.replace(known, commit=self.to.commit, venv=self.to.venv)
        plans = (self._plan(node, self.to) for node in takers(self.cluster))
        return [dataclasses.replace(plan, together=True) for plan in plans]

    def _foretold(self) -> Release:
        """A release that a check does not make: its environment may be there nevertheless."""
        alike = [release for release in self.there.all if release.venv == self.to.venv]
        if not alike:
            return self.to
        one = alike[0]
        return dataclasses.replace(self.to, environment=one.environment, python=one.python)

    def settle(self, results: Results) -> list[Plan]:
        """Written down when those that were reached have it; else everybody goes back."""
        if not self.built:
            return []
        nodes = [node for node in takers(self.cluster) if node.name in results]
        self.away = [node.name for node in nodes if results[node.name].is_out_of_reach]
        reached = [node for node in nodes if node.name not in self.away]
        well = [node for node in reached if not results[node.name].bad]
        children = [node for node in well if node.serves]
        # One that serves may have been lost, or be ill, since it has built.
        nobody = self.cluster.children and not children
        if len(well) < len(reached) or nobody or results[self.cluster.builder.name].bad:
            return self._go_back(well, results)
        self.serving = [node.name for node in children]
        # What lies on the share is taken away by the builder, and who works there is here.
        working = (results[node.name].facts["releases"]["working"] for node in well)
        self.there = dataclasses.replace(self.there, working=self.there.working.union(*working))
        return [record_plan(self.cluster, self.renderer, self.to, self.how, self.there)]

    def words(self, results: Results, provision: str, deploy: str) -> Iterator[str]:
        """Who serves what after a run; the two are commands to type next."""
        former = self.there.get(self.there.current)
        mixed = [node.name for node in takers(self.cluster) if self._stayed(results, node.name)]
        if self.serving:
            every = len(self.cluster.children)
            yield f"{len(self.serving)} of {every} children serve {self.to.name}"
            for name in self.away:
                yield f"  {name} was not reached. Next: {provision}:{name}, once it is there again"
            if results[self.cluster.builder.name].bad:
                yield "  it is not written down, so a provision would take it back"
                yield f"  next: {deploy}, which writes it down"
        elif mixed:
            yield f"{', '.join(mixed)}: on {self.to.name}, which is not written down"
            yield f"  next: {deploy}, which brings the others to it, or {provision}, which brings"
            yield f"        all back to {former.name if former else 'what there was before'}"
        elif former:
            yield f"{former.name} goes on serving"
        else:
            yield "nothing was served before" if self.known else "what served goes on serving"

    def switched(self, results: Results) -> bool:
        """Whether any node has begun to serve another release in this run."""
        return bool(self.serving) and any(self._stayed(results, name) for name in results)

    def _stayed(self, results: Results, name: str) -> bool:
        """Whether a node switched, and did not go back in the same run."""
        link = f"link:{self.cluster.app.current}"
        return name in results and _changes(results[name], link) % 2 == 1

    def _go_back(self, well: Sequence[Node], results: Results) -> list[Plan]:
        former = self.there.get(self.there.current)
        if former is None or former.id == self.to.id:
            return []
        switched = [node for node in well if self._stayed(results, node.name)]
        # What is gone back from stays until the next deploy: visitors have pages of it.
        return [self._plan(node, former, self.to.id) for node in switched]

    def _plan(self, node: Node, to: Release, *kept: str) -> Plan:
        return release_plan(self.cluster, node, self.renderer, to, self.there, *kept)


class Stragglers:
    """Nodes of a provision that have another release than the one that is written down.

    Those that were down during a deploy, new ones, and all of them after a deploy that did not
    come to its end.
    """

    def __init__(
        self, cluster: Cluster, nodes: Sequence[Node], report: Report, **options: Any
    ) -> None:
        self.cluster = cluster
        self.nodes = nodes
        self.report = report
        self.options = options
        self._begun = False

    @property
    def waves(self) -> Sequence[Any]:
        """For ``Run.waves``; the run asks ``question``."""
        return (self.begin, self.bring)

    def begin(self, results: Results) -> list[Plan]:
        """The releases, for this run alone: a deploy that is under way brings them all itself."""
        self._begun = bool(self._behind(results))
        return [Plan(self.cluster.builder.name, (), releases=True)] if self._begun else []

    def bring(self, results: Results) -> list[Plan]:
        """Those that are behind, to what is written down now that nobody changes it."""
        return self._behind(results) if self._begun else []

    def _behind(self, results: Results) -> list[Plan]:
        well = [
            node
            for node in takers(self.cluster)
            if node in self.nodes and not results[node.name].bad
        ]
        there = self._there(results, well[0].name) if well else None
        to = there.get(there.current) if there else None
        if not (there and to and to.tree and to.environment):
            return []  # nothing was deployed yet
        behind = [n for n in well if results[n.name].facts["releases"]["current"] != to.id]
        renderer = Renderer.of(self.cluster)
        return [release_plan(self.cluster, node, renderer, to, there) for node in behind]

    def _there(self, results: Results, node: str) -> Releases | None:
        """What the builder says; it is asked when it is no part of the run.

        Where it does not answer the run has done its work nevertheless, and says what is open.
        """
        builder = self.cluster.builder.name
        if builder in results:
            return None if results[builder].bad else of(results[builder].facts["releases"])
        try:
            return read(self.cluster, **self.options)
        except Interrupted:
            raise
        except NodrizaError as error:
            words = f"which release it is to serve is not known: {builder}: {error.what}"
            self.report.event(node, {"event": "warning", "words": words})
            return None


def _changes(result: NodeResult, id: str) -> int:
    """How often it changed; a link that the node's own journal put back counts as not changed."""
    if result.failed:
        return 0
    return sum(e["id"] == id and e["status"] == "changed" for e in result.resources)
