"""nginx: the children's door: static files, media, and the way to the application."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nodriza.role import (
    Cluster,
    Directory,
    File,
    Health,
    Node,
    Offer,
    Package,
    Resource,
    Service,
    Template,
    offered,
    secret,
    server,
    template,
)

CLAIMS = [
    "forwarded",
    "x_forwarded",
    "x_forwarded_host",
    "x_forwarded_port",
    "x_forwarded_server",
    "x_forwarded_ssl",
    "x_forwarded_scheme",
    "x_forwarded_protocol",
    "x_forwarded_prefix",
    "x_forwarded_path",
    "x_forwarded_uri",
    "x_forwarded_by",
    "x_script_name",
    "x_scheme",
    "x_url_scheme",
    "x_arr_ssl",
    "cf_visitor",
    "cloudfront_forwarded_proto",
    "front_end_https",
    "x_original_url",
    "x_rewrite_url",
    "x_original_host",
    "x_original_forwarded_for",
    "x_host",
    "forwarded_for",
    "client_ip",
    "x_client_ip",
    "x_cluster_client_ip",
    "x_appengine_user_ip",
    "true_client_ip",
    "cf_connecting_ip",
    "fastly_client_ip",
    "fly_client_ip",
    "x_azure_clientip",
    "x_envoy_external_address",
    "x_remote_addr",
    "proxy_client_ip",
    "wl_proxy_client_ip",
    "remote_user",
    "x_remote_user",
    "x_forwarded_user",
    "x_forwarded_email",
    "x_auth_request_user",
    "x_auth_request_email",
    "x_auth_request_groups",
    "x_forwarded_preferred_username",
    "x_forwarded_groups",
    "x_forwarded_access_token",
    "x_authenticated_user",
    "x_webauth_user",
    "x_amzn_oidc_identity",
    "x_amzn_oidc_data",
    "x_goog_authenticated_user_email",
    "x_goog_iap_jwt_assertion",
    "x_ms_client_principal",
    "x_ms_client_principal_name",
    "cf_access_authenticated_user_email",
    "x_client_cert",
    "x_forwarded_client_cert",
    "x_ssl_client_cert",
    "x_ssl_client_verify",
    "x_ssl_client_s_dn",
    "ssl_client_verify",
    "ssl_client_s_dn",
    "proxy",
]
"""Headers in which proxies tell an application who a visitor is, how he came and what he
asked for, in nginx's spelling. Applications and their libraries believe them; so only those
pass that a proxy of the inventory sent."""
TEXT_TYPES = [
    "text/plain",
    "text/css",
    "text/javascript",
    "application/javascript",
    "text/xml",
    "application/xml",
    "application/xhtml+xml",
    "image/svg+xml",
    "text/csv",
    "text/vtt",
    "text/markdown",
    "text/calendar",
    "application/manifest+json",
    "application/rss+xml",
    "application/atom+xml",
]
"""Besides text/html: whose bytes mean nothing without a charset. (JSON is UTF-8 by itself.)"""


PAGE = "/.maintenance.html"
"""What visitors are shown while the site is closed: a name that is internal to nginx."""


def OFFERS(node: Node, cluster: Cluster) -> tuple[Offer, ...]:
    """The web; 443 only when there is something behind it."""
    ports = ("80", "443") if cluster.tls.on else ("80",)
    return (Offer("web", ports, public=True, limited=True),)


def nginx(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """Reads our files only: what the distribution puts into sites-enabled is not served.

    A node that serves an application asks itself whether it is well, as visitors would.
    """
    app = cluster.app
    application = offered(node, cluster, "application")
    speaks = (application and application.speaks) or "http"
    yield Package("nginx")
    pages, own = f"/etc/nginx/{app.name}.pages", f"/etc/nginx/{app.name}.own"
    yield Directory(pages)
    yield Directory(own)
    yield Directory(Health.CLOSED)
    files = (
        _page(cluster, f"{pages}{PAGE}"),
        *_passwords(cluster),
        # Root's own, as a secret may be in them: nginx reads them before it gives up its rights.
        # Named as their sources are: what nginx -t says of a line names the one to mend.
        *(
            template(f"nginx/{name}", to=f"{own}/{name}", mode="0600", same_lines=True)
            for name in ("http.extra.j2", "site.extra.j2")
        ),
        template("nginx/nginx.conf.j2", to="/etc/nginx/nginx.conf"),
        template("nginx/headers.j2", to=f"/etc/nginx/{app.name}.headers"),
        template(
            "nginx/application.j2",
            to=f"/etc/nginx/{app.name}.application",
            claims=CLAIMS,
            speaks=speaks,
        ),
        template(
            "nginx/site.conf.j2",
            to=f"/etc/nginx/conf.d/{app.name}.conf",
            away=Health.AWAY,
            maintenance=Health.CLOSED,
            pages=pages,
            own=own,
            page=PAGE,
            claims=CLAIMS,
            speaks=speaks,
            text_types=" ".join(TEXT_TYPES),
            certificate=server(cluster, "certificate") if cluster.tls.mode == "acme" else None,
            uploads=[re.escape(prefix) for prefix in app.uploads if prefix != "/"],
        ),
    )
    yield from files
    yield Service(
        "nginx",
        reload_on=(*files, *_pair(cluster), *node.zone),
        check=("nginx", "-t"),
        logs=("/var/log/nginx/access.log", "/var/log/nginx/error.log"),
    )
    # Only when nginx knows what the others beside it mean (nodriza.operate.maintenance).
    yield File(f"{Health.CLOSED}/known", '"fab maintenance on" puts a file called on here.\n')
    if application:
        # Past what is said to load balancers.
        yield Health(
            f"{'https' if cluster.tls.on else 'http'}://127.0.0.1/healthz/here",
            name=cluster.domain,
            pause=cluster.rollout.pause,
            also=app.asked if node.serves else (),
        )


def _page(cluster: Cluster, path: str) -> Resource | Template:
    """The project's, as it is; else ours."""
    if not cluster.maintenance.page:
        return template("nginx/maintenance.html.j2", to=path)
    return File(path, (cluster.app.source_path / cluster.maintenance.page).read_text("utf-8"))


def _passwords(cluster: Cluster) -> Iterator[File]:
    """Read by nginx's workers at each request."""
    if name := cluster.basic_auth:
        path = f"/etc/nginx/{cluster.app.name}.passwords"
        yield File(path, f"{secret(name)}\n", group="www-data", mode="0640")


def _pair(cluster: Cluster) -> tuple[str, ...]:
    """What the role tls has put there before; what comes by ACME is reloaded by itself."""
    conf, pair = f"file:/etc/nginx/{cluster.app.name}.tls", "file:/etc/nginx/tls/site.pem"
    return {"none": (), "files": (conf, pair), "acme": (conf,)}[cluster.tls.mode]
