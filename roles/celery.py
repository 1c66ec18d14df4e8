"""celery: makes videos, apart from the nodes that serve them."""

from __future__ import annotations

from collections.abc import Iterator

from nodriza.inventory import Cluster, Node
from nodriza.render import Template, template
from nodriza.resources import Package, Resource, Service


def celery(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """A worker that follows the reload file, and stops only between two tasks.

    Variable ``celery_concurrency``: tasks at once. One, because ffmpeg alone keeps all
    cores busy. An application without Celery gets ffmpeg only.
    """
    app = cluster.app
    yield Package("ffmpeg")
    if not app.celery:
        return
    worker = f"/usr/local/sbin/{app.name}-celery"
    watcher = f"/usr/local/sbin/{app.name}-celery-reload"
    files = (
        template(
            "celery/celery.sh.j2",
            to=worker,
            mode="0755",
            concurrency=node.variables.get("celery_concurrency", 1),
        ),
        template("celery/celery.service.j2", to="/etc/systemd/system/celery.service", run=worker),
    )
    watching = (
        template("celery/reload.sh.j2", to=watcher, mode="0755"),
        template(
            "celery/celery-reload.service.j2",
            to="/etc/systemd/system/celery-reload.service",
            run=watcher,
        ),
    )
    yield from files
    yield from watching
    yield Service(
        "celery",
        restart_on=(
            *files,
            f"file:{app.environment_file}",
            f"link:{app.current}",
            *node.zone,
        ),
        check=("sh", "-n", worker),
    )
    yield Service("celery-reload", restart_on=watching, check=("sh", "-n", watcher))
