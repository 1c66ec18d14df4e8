"""What other people's code does not see while it runs on a node, as the roles of a cluster say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodriza.plan.offers import links

if TYPE_CHECKING:
    from nodriza.inventory import Cluster


def from_application(cluster: Cluster) -> tuple[str, ...]:
    """The engine's records and keys, and the data of every service."""
    return ("/var/lib/nodriza", *_said(cluster, "data"))


def from_builder(cluster: Cluster) -> tuple[str, ...]:
    """The same, and what the application may see: its variables, its files, its servers."""
    app = cluster.app
    own = (f"/etc/{app.name}", app.media)
    return (*from_application(cluster), *own, *_said(cluster, "sockets"), app.socket)


def _said(cluster: Cluster, field: str) -> list[str]:
    offers = (offer for of_node in links(cluster).offers.values() for _, offer in of_node)
    return list(dict.fromkeys(path for offer in offers for path in getattr(offer, field)))
