"""The certificate of an inventory, looked at before any host is touched.

Browsers would refuse an expired one or one of another name, and nginx one that is not its
key's; here it is told in words, with the inventory's line.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from nodriza.errors import InventoryError
from nodriza.inventory.yaml.positions import read_marked
from nodriza.vault.pem import private_key

if TYPE_CHECKING:
    from nodriza.inventory import Cluster
    from nodriza.vault.store import Vault


def refuse_bad_pair(cluster: Cluster, vault: Vault, now: datetime | None = None) -> None:
    """Raise ``InventoryError`` when the children could not serve the inventory's pair."""
    if cluster.tls.mode != "files" or not cluster.tls.certificate:
        return
    path = Path(cluster.tls.certificate)
    problems = [("certificate", words) for words in _wrong_files(path)]
    if not problems:
        chain = x509.load_pem_x509_certificates(path.read_bytes())
        words = _wrong_chain(chain, cluster.names, now or datetime.now(timezone.utc))
        problems = [("certificate", f"{path.name}: {said}") for said in words]
        key = vault.values().get(cluster.tls.key, "")
        problems += [("key", said) for said in _wrong_key(key, cluster.tls.key, chain[0])]
    if problems:
        raise InventoryError([_placed(cluster.path, *problem) for problem in problems])


def _wrong_files(path: Path) -> Iterator[str]:
    try:
        data = path.read_bytes()
    except OSError as error:
        yield f"{path} can't be read: {error.strerror}"
        return
    if b"PRIVATE KEY" in data:
        yield (
            f"{path.name} has a private key in it, which every host and every plan would see;"
            " take it out and keep it with: fab secrets.set tls_key < KEYFILE"
        )
    try:
        x509.load_pem_x509_certificates(data)
    except ValueError:
        yield f"{path.name} is no certificate in PEM (-----BEGIN CERTIFICATE-----)"


def _wrong_chain(
    chain: list[x509.Certificate], wanted: Sequence[str], now: datetime
) -> Iterator[str]:
    site = chain[0]
    if now > site.not_valid_after_utc:
        yield f"expired on {site.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    if now < site.not_valid_before_utc:
        yield f"is not valid before {site.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
    names = _names(site)
    lacks = [name for name in wanted if not {name, f"*.{name.partition('.')[2]}"} & {*names}]
    if lacks:
        yield f"is not for {', '.join(lacks)}, but for {', '.join(names) or 'no name at all'}"
    for below, above in itertools.pairwise(chain):
        if below.issuer != above.subject:
            yield (
                f"{_shown(above)} did not issue {_shown(below)} before it: first the site's"
                " own certificate, then those up to the root, each below its issuer"
            )
            return


def _wrong_key(key: str, name: str, site: x509.Certificate) -> Iterator[str]:
    put = f"put it there with: fab secrets.set {name} < KEYFILE"
    if not key:
        yield f"there is no secret {name}, which the private key has to be; {put}"
    elif not private_key(key):
        yield f"the secret {name} is no private key in PEM without a passphrase; {put}"
    else:
        loaded = serialization.load_pem_private_key(key.encode(), password=None)
        if _raw(loaded.public_key()) != _raw(site.public_key()):
            yield f"the secret {name} is not the key of this certificate; {put}"


def _names(site: x509.Certificate) -> list[str]:
    try:
        found = site.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return [name.lower() for name in found.value.get_values_for_type(x509.DNSName)]


def _raw(key: PublicKeyTypes) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.DER, form)


def _shown(certificate: x509.Certificate) -> str:
    return f'"{certificate.subject.rfc4514_string()}"'


def _placed(inventory: Path, key: str, words: str) -> str:
    """``words`` at the line of ``tls/key``, or of ``tls`` when the key has its default."""
    document = read_marked(inventory.read_text(encoding="utf-8-sig"))
    mark = document.mark(("tls", key))
    return f"{inventory}:{mark.line}:{mark.column} tls/{key}: {words}"
