"""A release in a node's plan: how it is taken and switched to, and what follows it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nodriza.plan.plan import Declared, Plan, Planned, declared, make_plan, plan_node
from nodriza.plan.render import Renderer
from nodriza.release.record import Releases
from nodriza.release.release import Release, intact, takes
from nodriza.release.variables import environment_files, switched_with
from nodriza.resources import (
    Copy,
    Environment,
    File,
    Health,
    Intact,
    OldReleases,
    Resource,
    Service,
)

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node


PATIENCE = 20
"""Seconds within which a child is well that has just switched."""


def release_plan(
    cluster: Cluster,
    node: Node,
    renderer: Renderer,
    to: Release,
    there: Releases,
    *also: str,
) -> Plan:
    """What the role release asks for, the variables, and what follows them on this node. ``also``
    are kept.

    The release is tried with the variables that it is to have, and both change together. Where it
    is the release that serves already, ``there`` is a copy to mend, and whoever runs what somebody
    has changed begins anew.
    """
    kept = (*there.kept(to.id), *also)
    taken = list(declared("release", node, cluster, to, kept, there.newest(to, kept)))
    copies = tuple(item.id for item, _ in taken if isinstance(item, (Copy, Environment, File)))
    return _followed(taken, node, cluster, renderer, copies if to.id == there.current else ())


def record_plan(
    cluster: Cluster, renderer: Renderer, to: Release, how: str, there: Releases
) -> Plan:
    """What the role record asks for of the builder; and what follows the link there, unless it
    has taken the release as the others have.
    """
    node = cluster.builder
    written = list(declared("record", node, cluster, to, how, there.kept(to.id)))
    if takes(node, cluster):
        return make_plan(written, node, cluster, renderer)
    return _followed(written, node, cluster, renderer)


def _followed(
    items: Sequence[tuple[Declared, str]],
    node: Node,
    cluster: Cluster,
    renderer: Renderer,
    copies: tuple[str, ...] = (),
) -> Plan:
    whole = plan_node(node, cluster, renderer)
    switched = switched_with(cluster, items, environment_files(cluster, whole))
    following = followers(cluster, whole, copies)
    return make_plan(sorted((*switched, *following), key=_place), node, cluster, renderer)


def _place(item: tuple[Declared, str]) -> int:
    """What nobody works in any more goes when the services have begun anew. ``Health`` is last."""
    return isinstance(item[0], OldReleases) + 2 * isinstance(item[0], Health)


def followers(
    cluster: Cluster, whole: Plan, copies: tuple[str, ...] = ()
) -> Iterator[tuple[Declared, str]]:
    """What follows the release or its variables in a node's whole plan, and the node's health.

    Nothing else that such a service follows is in a deploy. ``copies``: those that are mended, for
    who follows the link.
    """
    link = f"link:{cluster.app.current}"
    ours = (link, f"file:{cluster.app.environment_file}")

    def kept(follows: Sequence[str]) -> tuple[str, ...]:
        return (*(each for each in ours if each in follows), *(copies if link in follows else ()))

    for planned in whole.resources:
        it = planned.resource
        if isinstance(it, Health):
            # Workers have begun anew by now, and visitors meet them: what is not well is bad news.
            yield dataclasses.replace(it, patience=PATIENCE), planned.origin
        elif isinstance(it, Service) and (kept(it.reload_on) or kept(it.restart_on)):
            follows = dataclasses.replace(
                it, reload_on=kept(it.reload_on), restart_on=kept(it.restart_on)
            )
            yield follows, planned.origin


def as_recorded(
    cluster: Cluster, node: Node, renderer: Renderer, there: Releases
) -> list[Planned]:
    """What the release that serves looks like on a node; nothing where nothing was deployed."""
    to = there.get(there.current)
    taken = takes(node, cluster)
    if not ((taken or node.builds) and to and to.tree and to.environment):
        return []
    if taken:
        plan = release_plan(cluster, node, renderer, to, there)
    else:
        plan = record_plan(cluster, renderer, to, "deploy", there)
    link = f"link:{cluster.app.current}"
    own = [
        dataclasses.replace(planned, resource=_thorough(planned.resource))
        for planned in plan.resources
        if isinstance(planned.resource, (Copy, Environment)) or planned.resource.id == link
    ]
    if not node.builds:
        return own
    made = intact(cluster, to.id, to.venv)
    return [*own, *(Planned(_thorough(each), "fab drift") for each in made)]


def _thorough(resource: Resource) -> Resource:
    """It reads each file of its tree, whatever its stamp is."""
    if isinstance(resource, Environment):
        return dataclasses.replace(
            resource, copy=dataclasses.replace(resource.copy, thorough=True)
        )
    if isinstance(resource, (Copy, Intact)):
        return dataclasses.replace(resource, thorough=True)
    return resource
