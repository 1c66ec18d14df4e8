"""uwsgi: the application's processes on a child."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

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

NEEDS = ("database", "broker", "cache")
OFFERS = (Offer("application", speaks="uwsgi", sockets=("/run/uwsgi",)),)


def touched_reload_file_reloads_uwsgi(site: Site) -> None:
    """a touched reload file reloads uwsgi on every child"""
    cluster = site.cluster
    nodes = [node for node in cluster.children if "uwsgi" in node.roles]
    before = {node.name: _workers(site, node) for node in nodes}
    site.on(server(cluster, "share"), "touch", cluster.app.reload)
    for node in nodes:
        site.wait(
            90,
            lambda node=node: not before[node.name] & _workers(site, node),  # type: ignore[misc]
            f"new uwsgi workers on {node.name} after a touch of {cluster.app.reload}",
        )


SMOKE = (touched_reload_file_reloads_uwsgi,)


def _workers(site: Site, node: Node) -> set[int]:
    """The process ids of a child's workers, from its stats socket."""
    stats = f"/run/uwsgi/{site.cluster.app.name}.stats.sock"
    # It answers where it logs, on stderr.
    answer = site.on(node, "sh", "-c", f"uwsgi-core --connect-and-read {stats} 2>&1")
    found = json.loads(answer[answer.index("{") : answer.rindex("}") + 1])
    return {worker["pid"] for worker in found["workers"] if worker["pid"]}


def uwsgi(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """Serves the current release, and follows the reload file worker after worker."""
    app, share = cluster.app, server(cluster, "share")
    yield Package("uwsgi-core")  # without Debian's own uwsgi.service, which knows no releases
    yield Package("uwsgi-plugin-python3")
    yield Directory("/etc/uwsgi")
    ini = template("uwsgi/app.ini.j2", to=f"/etc/uwsgi/{app.name}.ini")
    release = template("uwsgi/release.py.j2", to=f"/etc/uwsgi/{app.name}_release.py")
    follow = template("uwsgi/reload.py.j2", to=f"/etc/uwsgi/{app.name}_reload.py", share=share)
    yield template("uwsgi/ready.py.j2", to=f"/etc/uwsgi/{app.name}_ready.py")
    configuration = (ini.path, follow.path)  # what uWSGI's master reads once
    renew = template(
        "uwsgi/renew.py.j2",
        to=f"/etc/uwsgi/{app.name}_renew.py",
        patience=PATIENCE,
        configuration=configuration,
    )
    own = repr([*sorted(app.environment.items()), *app.secrets]).encode()
    unit = template(
        "uwsgi/uwsgi.service.j2",
        to="/etc/systemd/system/uwsgi.service",
        environment=hashlib.sha256(own).hexdigest()[:12],
        renew=renew.path,
        patience=PATIENCE,
        configuration=configuration,
        share=share,
    )
    socket = template("uwsgi/uwsgi.socket.j2", to="/etc/systemd/system/uwsgi.socket")
    yield ini
    yield release
    yield follow
    yield renew
    yield unit
    yield socket
    yield Service(
        "uwsgi",
        reload_on=(
            ini,
            release,
            follow,
            f"file:{app.environment_file}",
            f"link:{app.current}",
        ),
        restart_on=(unit, *node.zone),
        # Reads everything, refuses what it doesn't know (strict), and goes.
        check=("uwsgi-core", "--ini", f"/etc/uwsgi/{app.name}.ini", "--hook-asap", "exit:0"),
    )
    # After the service, which needs it: systemd would not open it for one that runs already.
    yield Service("uwsgi.socket", restart_on=(socket,))
