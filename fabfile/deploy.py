"""fab deploy"""

from __future__ import annotations

from invoke import Context, Exit

from .session import command, fab, reachable_cluster, sudo_password, vault


@command(
    help={
        "check": "change nothing, say what would change",
        "json": "one JSON object per event, for machines",
    }
)
def deploy(c: Context, check: bool = False, json: bool = False) -> None:
    """Put the application's source on the share as a release, and switch to it."""
    from nodriza.deploy import deploy as put
    from nodriza.report import make_report
    from nodriza.rollout import exit_code

    cluster = reachable_cluster(c)
    store = vault(cluster)
    again = f"{fab(c)} deploy"
    report = make_report("json" if json else "auto", again=again, redact=store.redact)
    results = put(cluster, store, report, check=check, sudo_password=sudo_password(c))
    if code := exit_code(results):
        raise Exit("the old release goes on serving", code=code)
