"""celery: does the application's tasks, apart from the nodes that serve."""

from __future__ import annotations

from collections.abc import Iterator

from nodriza.role import (
    Cluster,
    Directory,
    Node,
    Offer,
    Resource,
    Service,
    Template,
    server,
    template,
)

PATIENCE = 120
"""Seconds for a new worker to take tasks; what reloads them waits at most 300."""


def _takes(node: Node, cluster: Cluster) -> tuple[str, ...]:
    """The queues of its tasks; Celery calls its own "celery" (task_default_queue)."""
    queues = tuple(node.variables.get("celery_queues", ())) or ("celery",)
    return queues if cluster.app.celery else ()


OFFERS = (Offer("tasks", name="Celery", takes=_takes),)


def NEEDS(node: Node, cluster: Cluster) -> tuple[str, ...]:
    """Nothing, where the application has no tasks."""
    return ("database", "broker", "cache") if cluster.app.celery else ()


def celery(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """A worker that follows the release and its variables; the one before ends its task.

    Variable ``celery_concurrency``: tasks at once. One on a video node, because ffmpeg alone
    keeps all cores busy. ``celery_queues``: from which it takes them.
    """
    app = cluster.app
    if not app.celery:
        return
    library = f"/usr/local/lib/{app.name}"
    yield Directory(library)
    # Read when a worker begins.
    ready = template("celery/ready.py.j2", to=f"{library}/nodriza_ready.py")
    worker = template(
        "celery/worker.sh.j2",
        to=f"/usr/local/sbin/{app.name}-celery-worker",
        mode="0755",
        concurrency=node.variables.get("celery_concurrency", 1),
        queues=",".join(node.variables.get("celery_queues", ())),
        ready=library,
    )
    # Read when the unit starts.
    run = f"/usr/local/sbin/{app.name}-celery"
    main = template(
        "celery/celery.py.j2",
        to=run,
        mode="0755",
        run=run,
        worker=worker.path,
        patience=PATIENCE,
    )
    unit = template(
        "celery/celery.service.j2",
        to="/etc/systemd/system/celery.service",
        run=run,
        patience=PATIENCE,
        share=server(cluster, "share"),
    )
    yield ready
    yield worker
    yield main
    yield unit
    yield Service(
        "celery",
        reload_on=(
            ready,
            worker,
            f"file:{app.environment_file}",
            f"link:{app.current}",
            *node.zone,
        ),
        restart_on=(main, unit),
        check=("sh", "-n", worker.path),
        # A restart waits for the tasks that are at work.
        longer=app.tasks.longest,
    )
