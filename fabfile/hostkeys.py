"""fab hostkeys.accept, hostkeys.list"""

from __future__ import annotations

from invoke import Context

from nodriza import alive

from .kinds import Fingerprint, Nodes
from .session import command, current_cluster, reachable_cluster


@command(
    subject="target",
    connects=True,
    help={
        "target": "nodes, as in provision, or a gateway",
        "fingerprint": "SHA256:… as the host itself shows it, instead of a question",
        "replace": "when the key has changed, and you have verified the new one",
    },
)
def accept(
    c: Context, target: Nodes, fingerprint: Fingerprint = "", replace: bool = False
) -> None:
    """Get to know a node: fetch its host key, verify it, write it down."""
    import sys

    from nodriza.ssh import accept as engine

    ask = _ask if sys.stdin.isatty() else None
    for hop in engine.to_know(reachable_cluster(c), target):
        print(engine.accept(hop, fingerprint=fingerprint, replace=replace, ask=ask))


@command(name="list", subject="target", reads=True)
def list_(c: Context, target: Nodes = "") -> None:
    """List the host keys that nodes and gateways are known by."""
    from nodriza.ssh import accept as engine

    print("\n".join(engine.listing(current_cluster(c), target)))


def _ask(question: str) -> bool:
    with alive.hushed():
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
