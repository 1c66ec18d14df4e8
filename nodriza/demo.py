"""From nothing to a cluster that serves, on this computer, with the time of each stage."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nodriza import lab
from nodriza.change.deploy import deploy, read, requirements
from nodriza.change.provision import provision
from nodriza.inventory import load_cluster
from nodriza.report import make_report
from nodriza.rollout.waves import exit_code
from nodriza.smoke import smoke as run_smoke

if TYPE_CHECKING:
    from nodriza.inventory import Cluster
    from nodriza.vault.store import Vault


def run_demo(
    path: Path, vault_for: Callable[[Cluster], Vault], say: Callable[[str], None]
) -> bool:
    """Run all stages on the lab of an inventory; ``True`` when all went well."""
    times: dict[str, float] = {}
    began = time.monotonic()
    say("== lab")
    lab.up(load_cluster(path), say=say)
    times["lab"] = time.monotonic() - began
    cluster = lab.reach(load_cluster(path))  # again: the lab has told what it can do
    if cluster is None:
        return False
    store = vault_for(cluster)
    stages: dict[str, Callable[[], bool]] = {
        "provision": lambda: (
            not exit_code(
                provision(cluster, cluster.nodes, store, make_report("auto", redact=store.redact))
            )
        ),
        "deploy": lambda: (
            not exit_code(
                deploy(
                    cluster,
                    source := read(cluster),
                    requirements(cluster, source),
                    store,
                    make_report("auto", redact=store.redact),
                )[0]
            )
        ),
        "smoke": lambda: _smoke(cluster, say),
    }
    for name, stage in stages.items():
        say(f"\n== {name}")
        began = time.monotonic()
        if not stage():
            say(f"\n{name} failed; what is there stays up. Look around: fab lab.ssh server-2")
            return False
        times[name] = time.monotonic() - began
    _tell(cluster, times, say)
    return True


def _smoke(cluster: Cluster, say: Callable[[str], None]) -> bool:
    outcomes = run_smoke(cluster, lambda outcome: say(str(outcome)))
    return not any(outcome.failed for outcome in outcomes)


def _tell(cluster: Cluster, times: dict[str, float], say: Callable[[str], None]) -> None:
    say(f"\n{cluster.name} is running:")
    for node in cluster.nodes:
        say(f"  {node.name:<12} {node.kind:<8} {node.private}")
    say("\nopen in a browser on this computer:")
    for node in cluster.children:
        say(f"  http://{node.web_address}/")
    if cluster.lab_overlay and cluster.lab_overlay.share_reason:
        engine, reason = cluster.share.engine, cluster.lab_overlay.share_reason
        say(f"\nthe share is {engine}: {reason}")
    spent = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in times.items())
    say(f"\ntimes: {spent}; all {sum(times.values()):.1f} s")
    say("next: fab status, fab lab.ssh server-2, fab lab.down")
