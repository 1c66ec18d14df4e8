"""How a visitor's browser comes to one child: under the site's name, trusting whom users trust."""

from __future__ import annotations

import ssl
import time
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from nodriza.inventory import Cluster


BODY = 256 * 1024 * 1024
"""Bytes of the longest answer, unpacked; a video of two seconds is far shorter."""
WITHIN = 120
"""Seconds for a whole answer: a child may send a byte before each time-out."""


class TooMuch(httpx.HTTPError):
    """An answer that is too long, takes too long, or is packed in a way we did not ask for."""


def send(
    client: httpx.Client, method: str, path: str, headers: Mapping[str, str] | None, **body: Any
) -> tuple[httpx.Response, bytes]:
    """An answer and its body, both within bounds. Raises ``httpx.HTTPError``."""
    until = time.monotonic() + WITHIN
    asked = {"Accept-Encoding": "gzip", **(headers or {})}
    with client.stream(method, path, headers=asked, **body) as answer:
        packed = answer.headers.get("Content-Encoding", "identity").strip().lower()
        if packed not in ("gzip", "identity"):
            raise TooMuch(f"Content-Encoding {packed}, which was not asked for")
        unpack = zlib.decompressobj(wbits=31) if packed == "gzip" else None
        said = bytearray()
        for piece in answer.iter_raw(65536):
            # A few kilobytes can stand for gigabytes.
            said += _unpacked(unpack, piece, BODY + 1 - len(said)) if unpack else piece
            if len(said) > BODY:
                raise TooMuch(f"more than {BODY >> 20} MB")
            if time.monotonic() > until:
                raise TooMuch(f"no end of it within {WITHIN} s")
    return answer, bytes(said)


def _unpacked(unpack: Any, piece: bytes, most: int) -> bytes:
    try:
        data: bytes = unpack.decompress(piece, most)
    except zlib.error as error:
        raise TooMuch(f"it is not packed as it says: {error}") from None
    return data


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
