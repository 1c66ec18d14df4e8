"""nginx: the children's door: static files, media, and the way to uwsgi."""

from __future__ import annotations

from collections.abc import Iterator

from nodriza.inventory import Cluster, Node
from nodriza.render import Template, template
from nodriza.resources import Health, Package, Resource, Service


def nginx(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """Reads our files only: what the distribution puts into sites-enabled is not served.

    A node that serves an application asks itself whether it is well, as visitors would.
    """
    app = cluster.app
    yield Package("nginx")
    files = (
        template("nginx/nginx.conf.j2", to="/etc/nginx/nginx.conf"),
        template("nginx/headers.j2", to=f"/etc/nginx/{app.name}.headers"),
        template("nginx/site.conf.j2", to=f"/etc/nginx/conf.d/{app.name}.conf", away=Health.AWAY),
    )
    yield from files
    yield Service(
        "nginx",
        reload_on=(*files, *_pair(cluster)),
        check=("nginx", "-t"),
        logs=("/var/log/nginx/access.log", "/var/log/nginx/error.log"),
    )
    if "uwsgi" in node.roles:
        # Past what is said to load balancers.
        yield Health(
            f"{'https' if cluster.tls.on else 'http'}://127.0.0.1/healthz/here",
            name=cluster.domain,
            pause=cluster.rollout.pause,
        )


def _pair(cluster: Cluster) -> tuple[str, ...]:
    """What the role tls has put there before; what comes by ACME is reloaded by itself."""
    conf, pair = f"file:/etc/nginx/{cluster.app.name}.tls", "file:/etc/nginx/tls/site.pem"
    return {"none": (), "files": (conf, pair), "acme": (conf,)}[cluster.tls.mode]
