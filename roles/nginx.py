"""nginx: the children's door: static files, media, and the way to the application."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nodriza.role import (
    Cluster,
    Health,
    Node,
    Offer,
    Package,
    Resource,
    Service,
    Template,
    offered,
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
    files = (
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
    if application:
        # Past what is said to load balancers.
        yield Health(
            f"{'https' if cluster.tls.on else 'http'}://127.0.0.1/healthz/here",
            name=cluster.domain,
            pause=cluster.rollout.pause,
            also=app.asked if node.serves else (),
        )


def _pair(cluster: Cluster) -> tuple[str, ...]:
    """What the role tls has put there before; what comes by ACME is reloaded by itself."""
    conf, pair = f"file:/etc/nginx/{cluster.app.name}.tls", "file:/etc/nginx/tls/site.pem"
    return {"none": (), "files": (conf, pair), "acme": (conf,)}[cluster.tls.mode]
