"""What the application's source lacks to be served by the cluster, before anything is sent."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nodriza.change.drivers import SERVED_BY, named, system_of, unserved
from nodriza.errors import SourceError
from nodriza.host.env_file import parse_environment
from nodriza.plan.offers import told
from nodriza.plan.plan import plan_node
from nodriza.plan.render import Renderer
from nodriza.project.files import Files
from nodriza.project.needs import needs
from nodriza.project.rules import Given, Need
from nodriza.release.variables import environment_files
from nodriza.source.requirements import read_requirements

if TYPE_CHECKING:
    from nodriza.inventory import Cluster
    from nodriza.plan.offers import Told
    from nodriza.source.tree import Source

PYMYSQL = (
    'import pymysql; pymysql.version_info = (2, 2, 1, "final", 0); pymysql.install_as_MySQLdb()'
)
"""PyMySQL in the place of mysqlclient, with the version that Django asks for (Django's release
notes, "Minimum supported version of mysqlclient")."""


def examine(cluster: Cluster, source: Source) -> list[Need]:
    """Everything that would be missed after a deploy of ``source``; empty if nothing is known.

    The application is read, and not run: what only running shows is for the deploy's own trial.
    """
    return [*_driver(cluster, source), *needs(Files.of_source(source), given(cluster))]


def given(cluster: Cluster) -> Given:
    """What the cluster tells the application; secrets as tokens."""
    node = cluster.builder
    whole = plan_node(node, cluster, Renderer.of(cluster))
    files = environment_files(cluster, whole)
    return Given(
        cluster.app.settings,
        cluster.domain,
        parse_environment("".join(str(file.content) for file, _ in files)),
        next((system_of(offer) for offer, _, _ in _databases(cluster)), ""),
        cluster.app.celery or "",
        cluster.app.hooks.build,
        cluster.app.asgi or "",
    )


def _databases(cluster: Cluster) -> list[Told]:
    return [each for each in told(cluster.builder, cluster) if each.offer.drivers]


def _driver(cluster: Cluster, source: Source) -> Iterator[Need]:
    """One of Python's packages that speak to the database, and PyMySQL where Django finds it."""
    try:
        file = read_requirements(source, cluster.app.requirements, cluster.app.installer).file
    except SourceError as error:
        yield Need(error.what, error.where or "", error.do or "")
        return
    there = {*dict(named(source, file))}
    if lacking := unserved(cluster, there):
        words = f"{' or '.join(lacking)}, which serves app.asgi, is not among what is installed"
        yield Need(words, file, SERVED_BY)
    for offer, _, variables in _databases(cluster):
        if {*variables} & cluster.app.own_variables or there & {*offer.drivers}:
            continue
        yield Need(
            f"no driver for {system_of(offer)} is among what is installed",
            file,
            f"one of {', '.join(offer.drivers)}",
        )
    if "pymysql" in there and "mysqlclient" not in there:
        files = Files.of_source(source)
        if not any("install_as_MySQLdb" in files.text(name) for name in files.named(".py")):
            package = files.module(cluster.app.settings.partition(".")[0]) or "manage.py"
            yield Need("Django takes PyMySQL only where it is told so", package, PYMYSQL)


def as_lines(found: Sequence[Need], inventory: Path) -> Iterator[str]:
    """For a person: what is to do, and at the end the lines for the inventory."""
    for need in found:
        yield f"to do  {need.words}" + (f"  ({need.where})" if need.where else "")
        if need.do:
            yield f"         {need.do}"
    if secrets := [name for need in found for name in need.secrets]:
        yield f"these are for app.secrets in {inventory.name}, each with its value:"
        yield f"    secrets: [{', '.join(secrets)}]"
        yield from (f"    fab secrets.set {name.lower()}" for name in secrets)
    variables = [line for need in found for line in need.inventory]
    if variables:
        yield f"these lines are for app.environment in {inventory.name}:"
        for name, value in variables:
            text = value if value.startswith("$") else json.dumps(value, ensure_ascii=False)
            yield f"    {name}: {text}"
