"""``app.environment``: variables of the operator's own, and other names for the cluster's.

A project that reads ``DB_HOST`` gets it with ``DB_HOST: $DATABASE_HOST``, and nobody changes its
settings. systemd puts nothing in the place of such a word in an EnvironmentFile (systemd.exec(5)),
so it is done here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from nodriza.errors import RoleError
from nodriza.inventory.places import place
from nodriza.vault.token import env

if TYPE_CHECKING:
    from nodriza.inventory import Cluster

REFERENCE = re.compile(r"\$([A-Z][A-Z0-9_]*)")


def environment(cluster: Cluster, ours: Mapping[str, str]) -> dict[str, str]:
    """Each variable of ``app.environment`` as it stands between double quotes in the file.

    ``ours``: what the cluster gives, written so as well. Raises ``RoleError`` for ``$NAME``
    where the cluster gives no such variable.
    """
    found = {}
    for name, value in cluster.app.environment.items():
        named = REFERENCE.fullmatch(value)
        if named and named[1] not in ours:
            near = difflib.get_close_matches(named[1], ours, 1)
            raise RoleError(
                f"{name}: {value} is to be what the cluster calls {named[1]}, and it gives no such"
                f" variable{f', did you mean ${near[0]}?' if near else ''}",
                where=place(cluster.path, "app", "environment", name),
                kept="no host was touched",
                do=f"one of {', '.join(sorted(ours))}",
            )
        found[name] = ours[named[1]] if named else env(value)
    return found
