"""gunicorn: serves the application, in the place of uwsgi."""

from __future__ import annotations

from collections.abc import Iterator

from nodriza.role import (
    Cluster,
    Directory,
    Node,
    Offer,
    Package,
    Resource,
    Service,
    Template,
    template,
)

PATIENCE = 240
"""Seconds for all workers of a node to begin anew."""

NEEDS = ("database", "broker", "cache")
OFFERS = (Offer("application", speaks="http", sockets=("/run/gunicorn",)),)


def gunicorn(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """Debian's; its workers take the release, the master knows of none."""
    app = cluster.app
    workers = (app.workers or 2) * app.threads
    yield Package("gunicorn")
    yield Directory("/etc/gunicorn")
    code = template(
        "app/release.py.j2", to="/etc/gunicorn/release.py", server="gunicorn", speaks="http"
    )
    conf = template(
        "gunicorn/gunicorn.conf.py.j2", to="/etc/gunicorn/gunicorn.conf.py", workers=workers
    )
    renew = template(
        "gunicorn/renew.py.j2", to="/etc/gunicorn/renew.py", patience=PATIENCE, workers=workers
    )
    unit = template(
        "gunicorn/gunicorn.service.j2",
        to="/etc/systemd/system/gunicorn.service",
        patience=PATIENCE,
    )
    socket = template("gunicorn/gunicorn.socket.j2", to="/etc/systemd/system/gunicorn.socket")
    yield code
    yield conf
    yield renew
    yield unit
    yield socket
    yield Service(
        "gunicorn",
        reload_on=(code, f"file:{app.environment_file}", f"link:{app.current}"),
        restart_on=(conf, renew, unit, *node.zone),
        check=("python3", "-m", "py_compile", conf.path),
    )
    yield Service("gunicorn.socket", restart_on=(socket,))
