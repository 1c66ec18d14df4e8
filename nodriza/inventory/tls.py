"""HTTPS in an inventory, as the roles read it."""

from __future__ import annotations

import re
from pathlib import Path

from nodriza.inventory.sections.tls import TlsSettings

_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")


class Tls(TlsSettings):
    """As written, with absolute paths."""

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
