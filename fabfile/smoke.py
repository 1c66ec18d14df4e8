"""fab smoke"""

from __future__ import annotations

from pathlib import Path

from invoke import Context, Exit

from .kinds import Report
from .output import say
from .session import command, reachable_cluster


@command(
    connects=True,
    help={
        "junit": "also write the outcome to this file, as JUnit XML",
        "reboot": "reboot every node in turn as well",
    },
)
def smoke(c: Context, junit: Report = "", reboot: bool = False) -> None:
    """Check from outside that the cluster does what it is for; exit 1 if it does not."""
    from nodriza.report.outcome import junit as junit_xml
    from nodriza.smoke import run

    cluster = reachable_cluster(c)
    outcomes = run.smoke(cluster, lambda outcome: say(str(outcome)), reboot=reboot)
    if junit:
        Path(junit).write_bytes(junit_xml(outcomes, f"smoke.{cluster.name}"))
    failed = sum(bool(outcome.failed) for outcome in outcomes)
    say(f"{len(outcomes) - failed} passed, {failed} failed")
    if failed:
        raise Exit(code=1)
