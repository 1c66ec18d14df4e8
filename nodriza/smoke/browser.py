"""How a visitor's browser comes to one child: under the site's name, trusting whom users trust."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from nodriza.inventory import Cluster


def origin(cluster: Cluster, host: str = "") -> str:
    """The site's scheme and name, or those of one child's address."""
    scheme = "https" if cluster.tls.on else "http"
    return f"{scheme}://{host or cluster.domain}"


def browser(cluster: Cluster, address: str) -> httpx.Client:
    """A client of the child at ``address`` as if DNS had led there. It follows no redirect."""
    return httpx.Client(
        base_url=origin(cluster, address),
        headers={"Host": cluster.domain},
        timeout=20,
        follow_redirects=False,
        trust_env=False,  # a proxy of the operator's is not how visitors come
        transport=_Named(cluster.domain, verify=trust(cluster)) if cluster.tls.on else None,
    )


def trust(cluster: Cluster) -> ssl.SSLContext:
    """Whom to believe.

    The inventory's own certificate, and nothing else, where it comes from files: then a
    child that serves an older one is found out. Else whom browsers believe, and ``tls.ca``.
    """
    if cluster.tls.mode == "files":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # The chain's file has the site's own certificate, and its root as a rule has not.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cafile=cluster.tls.certificate)
        return context
    context = ssl.create_default_context()
    if cluster.tls.ca:
        context.load_verify_locations(cafile=cluster.tls.ca)
    return context


class _Named(httpx.HTTPTransport):
    """Asks for the site's certificate (SNI) and checks it by that name, at an address."""

    def __init__(self, name: str, *, verify: ssl.SSLContext) -> None:
        super().__init__(verify=verify, trust_env=False)
        self._name = name

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions = {**request.extensions, "sni_hostname": self._name}
        return super().handle_request(request)
