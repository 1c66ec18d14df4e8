"""The services that an inventory can place, as data: what does each when nobody says otherwise.

A new service is an entry here and a key of ``nodriza.inventory.sections.services.Services``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nodriza.inventory.base import Model


@dataclass(frozen=True)
class About:
    """What one service is.

    ``roles``: what its node is made of besides what its kind brings, in the words of
    ``nodriza.inventory.roles.ORDER``. ``engine``: the role that does it when nobody says
    otherwise; "" where nobody does it then, or where the engine is said elsewhere. ``asgi``: the
    one of an ASGI application, which ``engine`` can't serve. ``everywhere``: it has no node of its
    own. ``sized``: it can be given memory. ``keeps``: it has data that nobody else has, and that
    stays behind when it moves.
    """

    does: str
    roles: tuple[str, ...]
    engine: str = ""
    asgi: str = ""
    everywhere: bool = False
    sized: bool = False
    keeps: bool = False


SERVICES: dict[str, About] = {
    "share": About(
        "The files that all nodes see, with what needs root on them: releases are made on its"
        " node, and certificates fetched. Its engine is share/engine.",
        ("{share}_server", "app", "certbot", "backup"),
        keeps=True,
    ),
    "database": About(
        "The project's rows.", ("{database}", "backup"), "mysql", sized=True, keeps=True
    ),
    "broker": About(
        "Celery's queue. It never evicts.",
        ("{broker}", "backup"),
        "redis",
        sized=True,
        keeps=True,
    ),
    "cache": About("What may be thrown away.", ("{cache}",), "redis", sized=True),
    "data": About(
        "Sets and counters that are no cache, in REDIS_URL. It never evicts. Without this"
        " key there is none.",
        ("{data}", "backup"),
        sized=True,
        keeps=True,
    ),
    "beat": About(
        "Celery's clock, on one node. Without this key there is none.",
        ("{share}_client", "app", "{beat}"),
    ),
    "application": About(
        "What runs the project's pages on every child.", (), "uwsgi", "gunicorn", everywhere=True
    ),
}
ENGINES = {"data": "redis", "beat": "beat"}
"""Of those that are there only if somebody asks for them."""


KEEPING = tuple(name for name, about in SERVICES.items() if about.keeps)


class Placed(Model):
    """One service of a cluster. ``on``: its node, or nothing where every child does it.

    ``said``: the keys that the inventory has of it.
    """

    engine: str
    on: str = ""
    memory_mb: int | None = None
    said: tuple[str, ...] = ()


def on_each(services: Mapping[str, Placed]) -> dict[str, tuple[str, ...]]:
    """Node to its services, in their own order."""
    found: dict[str, tuple[str, ...]] = {}
    for name, placed in services.items():
        if placed.on:
            found[placed.on] = (*found.get(placed.on, ()), name)
    return found


def engines(services: Mapping[str, Placed]) -> dict[str, str]:
    """Service to its engine."""
    return {name: placed.engine for name, placed in services.items()}
