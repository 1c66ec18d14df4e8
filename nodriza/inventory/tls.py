"""HTTPS in an inventory: what is written, and what the roles read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from nodriza.inventory import text
from nodriza.inventory.base import Model, whole

_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")


class TlsSettings(Model):
    """How the children speak HTTPS, as written; see ``roles/tls.py`` and ``nodriza.tls``."""

    mode: Literal["none", "files", "acme"] = "none"
    certificate: text.LocalPath | None = None
    key: text.SecretName = "tls_key"
    email: text.Email | None = None
    directory: text.HttpsUrl = "https://acme-v02.api.letsencrypt.org/directory"
    ca: text.LocalPath | None = None
    hsts: Annotated[int, whole(0, 63_072_000)] = 0


class Tls(TlsSettings):
    """The same, with absolute paths."""

    @property
    def pair(self) -> str:
        """On a child: the chain and the key in one file, so that no one ever sees one
        without the other.
        """
        return "/etc/nginx/tls/site.pem"

    @property
    def on(self) -> bool:
        """Whether the children speak HTTPS."""
        return self.mode != "none"

    @property
    def chain(self) -> str:
        """The certificates of the file, and nothing else that may be in it."""
        return _certificates(self.certificate)

    @property
    def authority(self) -> str:
        """The certificates of an authority that nobody else knows."""
        return _certificates(self.ca)


def _certificates(path: Path | None) -> str:
    text = path.read_text(encoding="ascii", errors="replace") if path else ""
    return "".join(f"{found}\n" for found in _CERTIFICATE.findall(text))
