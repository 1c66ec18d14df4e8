"""Secrets of a backup that can't be made up: somebody else has to know them as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization

from nodriza.errors import SecretError
from nodriza.inventory.places import place

if TYPE_CHECKING:
    from nodriza.inventory import Cluster
    from nodriza.vault.store import Vault

SMTP = "backup_smtp_password"
NEEDED = {"sftp": ("backup_ssh_key",), "s3": ("backup_s3_id", "backup_s3_secret")}


def refuse_without(cluster: Cluster, vault: Vault) -> None:
    """Raise ``SecretError`` for one that nobody has set, before any host is touched."""
    if cluster.backup is None:
        return
    values = vault.values()
    notify = cluster.backup.notify
    hook = (notify.web or "").partition("secret:")[2]
    told = [*([hook] if hook else []), *([SMTP] if notify.user else [])]
    for name in (*NEEDED.get(cluster.backup.remote, ()), *told):
        wrong = "there is no secret" if name not in values else ""
        if name == "backup_ssh_key" and not wrong and not _is_key(values[name]):
            wrong = "no private key without a passphrase is in the secret"
        if name == hook and not wrong and not values[name].startswith("https://"):
            wrong = "no https:// address is in the secret"
        if wrong:
            raise SecretError(
                f"backup: {wrong} {name}",
                where=place(cluster.path, "backup", "notify" if name in told else "to"),
                kept="no host was touched",
                do=f"fab secrets.set {name} <FILE",
            )


def _is_key(text: str) -> bool:
    """As OpenSSH or OpenSSL write it, without a passphrase."""
    for load in (serialization.load_ssh_private_key, serialization.load_pem_private_key):
        try:
            load(f"{text}\n".encode(), password=None)
        except (ValueError, TypeError):
            continue
        return True
    return False
