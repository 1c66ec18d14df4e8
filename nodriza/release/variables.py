"""The application's variables in a plan: they are tried before anybody who serves has them.

A deploy tries the release with them, and both change together. A provision tries them with the
release that serves, in the node's turn and before anything there begins anew.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nodriza.inventory.places import place
from nodriza.plan.offers import does
from nodriza.plan.plan import Declared, Plan, Planned
from nodriza.release.release import trial
from nodriza.resources import File, Link, Preflight, Trial

if TYPE_CHECKING:
    from nodriza.inventory import Cluster


def environment_files(cluster: Cluster, whole: Plan, path: str = "") -> list[tuple[File, str]]:
    """The application's environment file, or ``path``, in a node's whole plan; one, or none."""
    path = path or cluster.app.environment_file
    return [
        (each.resource, each.origin)
        for each in whole.resources
        if isinstance(each.resource, File) and each.resource.path == path
    ]


def tried_with(
    cluster: Cluster,
    items: Iterable[tuple[Declared, str]],
    files: Sequence[tuple[File, str]],
) -> Iterator[tuple[Declared, str]]:
    """Whoever tries a release is told the variables that it is to have."""
    text = "".join(str(file.content) for file, _ in files)
    for item, origin in items:
        if isinstance(item, Trial):
            yield _to_try(cluster, item, text), origin
        elif isinstance(item, Preflight):
            yield dataclasses.replace(item, environment=text), origin
        else:
            yield item, origin


def with_the_next(
    cluster: Cluster, items: Iterable[tuple[Declared, str]]
) -> Iterator[tuple[Declared, str]]:
    """Whoever reads the variables reads those of the release that is built."""
    app = cluster.app
    for item, origin in items:
        if getattr(item, "env_file", "") == app.environment_file:
            changed: Any = {"env_file": app.next_environment_file}
            yield dataclasses.replace(item, **changed), origin
        else:
            yield item, origin


def switched_with(
    cluster: Cluster,
    taken: Iterable[tuple[Declared, str]],
    files: Sequence[tuple[File, str]],
) -> Iterator[tuple[Declared, str]]:
    """They change just before the link. The trial comes before both."""
    for item, origin in tried_with(cluster, taken, files):
        if isinstance(item, Link) and not item.ahead:
            yield from files
        yield item, origin


def tried_first(cluster: Cluster, plan: Plan) -> Plan:
    """The plan of a provision. A node with the application tries variables before they change."""
    if not does(cluster.node(plan.node), cluster, "application"):
        return plan
    files = [file for file, _ in environment_files(cluster, plan)]
    serves = trial(cluster, cluster.app.current, ("/healthz", 0), *cluster.app.asked)
    resources: list[Planned] = []
    for each in plan.resources:
        if each.resource in files:
            text = str(files[0].content)
            resources.append(Planned(_to_try(cluster, serves, text), each.origin))
        resources.append(each)
    return dataclasses.replace(plan, resources=tuple(resources))


def _to_try(cluster: Cluster, one: Trial, text: str) -> Trial:
    """With the file and the line of each variable of ``app.environment``."""
    names = cluster.app.environment
    said = ((name, place(cluster.path, "app", "environment", name)) for name in names)
    places = tuple((name, where.rpartition("/")[2]) for name, where in said)  # from any folder
    return dataclasses.replace(one, environment=text, places=places)
