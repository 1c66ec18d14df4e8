"""Secrets that nobody can make up, so that somebody has to say what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodriza.errors import SecretError
from nodriza.inventory.places import place

if TYPE_CHECKING:
    from nodriza.inventory import Cluster
    from nodriza.vault.store import Vault


def refuse_unset(cluster: Cluster, vault: Vault) -> None:
    """Raise ``SecretError`` for those of ``app.secrets`` without a value, and for basic_auth's.

    In a lab the application's are made up: its mail goes nowhere.
    """
    if cluster.basic_auth and cluster.basic_auth not in vault.values():
        raise SecretError(
            f"{cluster.basic_auth} of basic_auth: there is no value for it",
            where=place(cluster.path, "basic_auth"),
            kept="no host was touched",
            do=f"htpasswd -nB NAME | fab secrets.set {cluster.basic_auth}",
        )
    if cluster.lab is not None or not cluster.app.secrets:
        return
    known = vault.values()
    if unset := [name for name in cluster.app.secrets if name.lower() not in known]:
        raise SecretError(
            f"{', '.join(unset)} of app.secrets: there is no value"
            f" {'for it' if len(unset) == 1 else 'for them'}",
            where=place(cluster.path, "app", "secrets"),
            kept="no host was touched",
            do=f"fab secrets.set {unset[0].lower()}",
        )
