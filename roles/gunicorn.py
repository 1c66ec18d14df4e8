"""gunicorn: the application's processes on a child, for ASGI (websockets) and WSGI."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nodriza.role import (
    Cluster,
    Directory,
    Node,
    Offer,
    Package,
    Resource,
    Service,
    Template,
    server,
    template,
)

if TYPE_CHECKING:
    from nodriza.role import Site

PATIENCE = 240
"""Seconds for all workers of a node to begin anew; what reloads them waits at most 300."""
GRACEFUL = 30
"""Seconds for requests to end when their worker has to."""
REQUEST = 120
"""Seconds for one request, as with uWSGI (harakiri)."""

NEEDS = ("database", "broker", "cache")


def OFFERS(node: Node, cluster: Cluster) -> tuple[Offer, ...]:
    """An ASGI application brings uvicorn itself: its versions are the project's to choose."""
    drivers = ("uvicorn",) if cluster.app.asgi else ()
    offer = Offer("application", speaks="http", sockets=("/run/gunicorn",), drivers=drivers)
    return (offer,)


def touched_reload_file_reloads_gunicorn(site: Site) -> None:
    """a touched reload file reloads gunicorn on every child"""
    cluster = site.cluster
    nodes = [node for node in cluster.children if "gunicorn" in node.roles]
    before = {node.name: _workers(site, node) for node in nodes}
    site.on(server(cluster, "share"), "touch", cluster.app.reload)
    for node in nodes:
        site.wait(
            90,
            lambda node=node: not before[node.name] & _workers(site, node),  # type: ignore[misc]
            f"new gunicorn workers on {node.name} after a touch of {cluster.app.reload}",
        )


SMOKE = (touched_reload_file_reloads_gunicorn,)


def _workers(site: Site, node: Node) -> set[str]:
    """The process ids of a child's workers that serve."""
    serves = f"/run/gunicorn/{site.cluster.app.name}.*.serves"
    return set(site.on(node, "sh", "-c", f"ls {serves}").split())


def gunicorn(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """Serves the current release, and follows the reload file worker after worker.

    The master is Debian's and knows no release; each worker enters one when it begins.
    """
    app, share = cluster.app, server(cluster, "share")
    yield Package("gunicorn")
    yield Directory("/etc/gunicorn")
    times: dict[str, Any] = {"patience": PATIENCE, "graceful": GRACEFUL, "request": REQUEST}
    release = template("gunicorn/release.py.j2", to=f"/etc/gunicorn/{app.name}_release.py")
    worker = template(
        "gunicorn/worker.py.j2",
        to=f"/etc/gunicorn/{app.name}_worker.py",
        release=release.path,
        **times,
    )
    conf = template(
        "gunicorn/gunicorn.conf.py.j2",
        to=f"/etc/gunicorn/{app.name}.conf.py",
        worker=worker.path,
        **times,
    )
    renew = template(
        "gunicorn/renew.py.j2", to=f"/etc/gunicorn/{app.name}_renew.py", share=share, **times
    )
    own = repr([*sorted(app.environment.items()), *app.secrets]).encode()
    unit = template(
        "gunicorn/gunicorn.service.j2",
        to="/etc/systemd/system/gunicorn.service",
        environment=hashlib.sha256(own).hexdigest()[:12],
        conf=conf.path,
        renew=renew.path,
        share=share,
        **times,
    )
    socket = template("gunicorn/gunicorn.socket.j2", to="/etc/systemd/system/gunicorn.socket")
    follow = template(
        "gunicorn/gunicorn-follow.service.j2",
        to="/etc/systemd/system/gunicorn-follow.service",
        renew=renew.path,
    )
    yield release
    yield worker
    yield conf
    yield renew
    yield unit
    yield socket
    yield follow
    yield Service(
        "gunicorn",
        reload_on=(release, f"file:{app.environment_file}", f"link:{app.current}"),
        # What its master reads once.
        restart_on=(worker, conf, unit, *node.zone),
        # Reads all settings, refuses a value that is none, and goes.
        check=("python3", "-I", "-B", "-c", CHECK, "--config", conf.path),
    )
    # After the service, which needs it: systemd would not open it for one that runs already.
    yield Service("gunicorn.socket", restart_on=(socket,))
    yield Service("gunicorn-follow", restart_on=(renew, follow, *node.zone))


CHECK = "from gunicorn.app.wsgiapp import WSGIApplication; WSGIApplication('')"
"""Gunicorn's own --check-config would import the application, as root."""
