"""fab inventory.check, inventory.keys, inventory.schema"""

from __future__ import annotations

from invoke import Context

from .session import command, current_cluster


@command(reads=True)
def check(c: Context) -> None:
    """Say what the inventory makes, or everything that is wrong with it; no host is asked."""
    from nodriza.inventory.doubts import doubts
    from nodriza.plan.plan import plan_all
    from nodriza.plan.summary import summary

    cluster = current_cluster(c, connects=True)
    print("\n".join([*summary(cluster, plan_all(cluster, cluster.nodes)), *doubts(cluster)]))


@command(reads=True)
def keys(c: Context) -> None:  # noqa: ARG001
    """Print every key of an inventory: what may stand there, its default, what it is for."""
    from nodriza.inventory.key_docs import as_text

    print(as_text(), end="")


@command(reads=True)
def schema(c: Context) -> None:  # noqa: ARG001
    """Print the JSON Schema of an inventory, for editors: > inventories/schema.json"""
    from nodriza.inventory.schema import as_json

    print(as_json(), end="")
