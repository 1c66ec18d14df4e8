"""fab cache.clear"""

from __future__ import annotations

from invoke import Context

from .remote import go
from .session import command, reachable_cluster

CODE = """
import sys, django
django.setup()
from django.conf import settings
from django.core.cache import caches
own = []
for name in settings.CACHES:
    if "locmem" in settings.CACHES[name]["BACKEND"]:
        own.append(name)
    else:
        caches[name].clear()
        print(f"{name} is empty")
if own:
    print(", ".join(own), "of CACHES: each process has its own", file=sys.stderr)
    print("  next: fab restart, which empties these as well", file=sys.stderr)
    sys.exit(1)
if "cache" in settings.SESSION_ENGINE and "cached_db" not in settings.SESSION_ENGINE:
    print("the sessions were in it: everybody is logged out")
"""


@command(connects=True)
def clear(c: Context) -> None:
    """Empty all caches that the application's settings name."""
    from nodriza.operate import program

    cluster = reachable_cluster(c)
    node = program.node_for(cluster, "")
    go(c, cluster, node, lambda terminal: program.script(cluster, ["-c", CODE], terminal=terminal))
