"""``tls``: HTTPS, as it is written; ``nodriza.inventory.tls`` is what the roles read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from nodriza.inventory import text
from nodriza.inventory.base import Section, whole
from nodriza.inventory.disk import is_there, near_path

if TYPE_CHECKING:
    from nodriza.inventory.yaml.partial import Draft


class TlsSettings(Section):
    """How the children speak HTTPS, as written.

    See ``roles/tls.py`` and ``nodriza.change.certificate``.
    """

    mode: Literal["none", "files", "acme"] = Field(
        default="none",
        description="none: HTTP. files: your own certificate. acme: nodriza fetches one.",
    )
    certificate: text.LocalPath | None = Field(
        default=None, description="For files: the chain in PEM, relative to this file."
    )
    key: text.SecretName = Field(
        default="tls_key", description="For files: the name of the secret that is the private key."
    )
    email: text.Email | None = Field(
        default=None, description="For acme: the address for the authority's warnings."
    )
    directory: text.HttpsUrl = Field(
        default="https://acme-v02.api.letsencrypt.org/directory",
        description="For acme: the address of the authority.",
    )
    ca: text.LocalPath | None = Field(
        default=None, description="Certificates in PEM of an authority that browsers don't know."
    )
    hsts: Annotated[int, whole(0, 63_072_000)] = Field(
        default=0,
        description="Seconds for which browsers use HTTPS only. 0 is off.",
    )

    def check_with(self, draft: Draft, inventory: Path) -> None:
        """Its files are there."""
        if self.mode == "files" and not self.certificate:
            message = 'mode: files needs "certificate", the file with the chain'
            draft.document.complain(("tls", "mode"), message)
        for field, name in (("certificate", self.certificate), ("ca", self.ca)):
            path = text.absolute(name, inventory.parent) if name else None
            if path and not is_there(path.is_file):
                message = f'there is no file "{str(name)[:200]}"{near_path(path, Path.is_file)}'
                draft.document.complain(("tls", field), message)
