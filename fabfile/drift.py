"""fab drift"""

from __future__ import annotations

from pathlib import Path

from invoke import Context, Exit

from .kinds import Nodes, Report
from .session import command, fab, reachable_cluster, sudo_password, vault


@command(
    subject="target",
    reads=True,
    connects=True,
    help={
        "json": "as data",
        "junit": "also write the outcome to this file, as JUnit XML",
    },
)
def drift(c: Context, target: Nodes = "", json: bool = False, junit: Report = "") -> None:
    """Compare every host with its plan: exit 0 as planned, 2 drift, 1 error."""
    from nodriza.errors import NodrizaError
    from nodriza.inventory import resolve_target
    from nodriza.report.outcome import junit as as_junit
    from nodriza.watch import drift as engine

    try:
        cluster = reachable_cluster(c, target)
        store = vault(cluster)
        nodes = resolve_target(cluster, target)
        found = engine.look(cluster, nodes, store, sudo_password=sudo_password(c))
    except NodrizaError as error:  # 2 is drift, and nothing else
        raise Exit(str(error), code=1) from None
    text = engine.as_json(found) if json else "\n".join(engine.words(found, fab(c)))
    print(store.redact(text))
    if junit:
        xml = as_junit(engine.outcomes(found), f"drift.{cluster.name}")
        Path(junit).write_bytes(store.redact(xml.decode()).encode())
    if code := engine.exit_code(found):
        raise Exit(code=code)
