"""Whether what is installed beside the application can speak to what the cluster has for it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from nodriza.errors import SourceError
from nodriza.plan.offers import offered, told
from nodriza.source.requirements import PYPROJECT, kind_of, lines_of

if TYPE_CHECKING:
    from nodriza.inventory import Cluster
    from nodriza.plan.offers import Offer
    from nodriza.source.tree import Source

ELSEWHERE = {
    "cx-oracle": "Oracle",
    "mssql-django": "SQL Server",
    "mysql-connector-python": "MySQL",
    "mysqlclient": "MySQL",
    "oracledb": "Oracle",
    "psycopg": "PostgreSQL",
    "psycopg-binary": "PostgreSQL",
    "psycopg-c": "PostgreSQL",
    "psycopg2": "PostgreSQL",
    "psycopg2-binary": "PostgreSQL",
    "pymysql": "MySQL",
}
"""Distributions that speak to a database (Django's documentation, "Databases"), and to which."""
SERVED_BY = "a line uvicorn[standard]"
"""With what speaks websockets ("extras" of its documentation)."""
_LOCKED = re.compile(r'name\s*=\s*"([\w.-]+)"\s*$')
_LISTED = re.compile(r'"([A-Za-z0-9][\w.-]*)\s*(?:[\[<>=!~;@][^"]*)?"')
_PLAIN = re.compile(r"\s*([A-Za-z0-9][\w.-]*)")


def refuse_unspoken(cluster: Cluster, source: Source, file: str) -> None:
    """Raise ``SourceError`` with the line of a driver where all of them are for another engine.

    ``file`` says what is installed. A project without a driver may have no database at all, and
    one whose ``app.environment`` has variables of the job may have it outside.
    """
    there = dict(reversed([*named(source, file)]))
    if lacking := unserved(cluster, there):
        raise SourceError(
            f"what serves an application of {cluster.app.module} is not among what is installed:"
            f" {' or '.join(lacking)}",
            where=str(cluster.app.source_path / file),
            kept="no host was touched",
            do=f"{SERVED_BY} in {file}",
        )
    for offer, server, variables in told(cluster.builder, cluster):
        if not offer.drivers or {*offer.drivers} & {*there}:
            continue
        outside = {*variables} & cluster.app.own_variables
        for driver, where in there.items():
            if driver in ELSEWHERE and not outside:
                raise SourceError(
                    f"{driver} speaks to {ELSEWHERE[driver]}, and the {offer.job} of this cluster"
                    f" is {offer.name} on {server.name}",
                    where=str(cluster.app.source_path / where),
                    kept="no host was touched",
                    do=f"one of {', '.join(offer.drivers)} in {file}, or a role that offers"
                    f' "{offer.job}" and speaks {ELSEWHERE[driver]}',
                )


def unserved(cluster: Cluster, there: Collection[str]) -> tuple[str, ...]:
    """The distributions of which the application server needs one, where none is ``there``."""
    offers = (offered(node, cluster, "application") for node in cluster.children)
    wanted = next((offer.drivers for offer in offers if offer), ())
    return () if {*wanted} & {*there} else wanted


def system_of(offer: Offer) -> str:
    """What the drivers of an offer speak to, as people call it; empty if nobody here knows."""
    return next((ELSEWHERE[each] for each in offer.drivers if each in ELSEWHERE), "")


def named(source: Source, file: str) -> Iterator[tuple[str, str]]:
    """Each distribution that is named, in the spelling of PyPI, with its file and line."""
    for name, number, line in lines_of(source, file, "-r|--requirement"):
        kind = kind_of(name)
        if kind == "requirements.txt":
            found = _PLAIN.findall(line)[:1] if _PLAIN.match(line) else []
        else:
            found = (_LISTED if kind == PYPROJECT else _LOCKED).findall(line)
        for each in found:
            yield re.sub(r"[-_.]+", "-", each).lower(), f"{name}:{number}"
