"""beat: Celery's clock, on one node of the cluster (``services.beat`` of the inventory)."""

from __future__ import annotations

from collections.abc import Iterator

from nodriza.role import Cluster, Node, Offer, Resource, Service, Template, server, template

OFFERS = (Offer("beat", name="Celery beat"),)
NEEDS = ("database", "broker", "cache")


def beat(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """Sends tasks when they are due. It ends before it begins anew: there are never two."""
    app = cluster.app
    unit = template(
        "beat/beat.service.j2",
        to="/etc/systemd/system/beat.service",
        share=server(cluster, "share"),
    )
    yield unit
    yield Service(
        "beat",
        restart_on=(unit, f"link:{app.current}", f"file:{app.environment_file}", *node.zone),
    )
