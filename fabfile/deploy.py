"""fab deploy"""

from __future__ import annotations

from invoke import Context, Exit

from .session import command, fab, reachable_cluster, sudo_password, vault


@command(
    connects=True,
    help={
        "check": "change nothing, say what would change",
        "json": "one JSON object per event, for machines",
        "rollback": "go back to the release before; the database stays as it is",
        "release": "with --rollback: go to this one",
    },
)
def deploy(
    c: Context,
    check: bool = False,
    json: bool = False,
    rollback: bool = False,
    release: str = "",
) -> None:
    """Put the application's source on the share as a release, and switch to it."""
    from nodriza import releases
    from nodriza.deploy import deploy as put
    from nodriza.report import make_report
    from nodriza.rollout import exit_code

    cluster = reachable_cluster(c)
    store = vault(cluster)
    password = sudo_password(c)
    if release and not rollback:
        raise Exit("--release is for --rollback\n  kept: nothing was done", code=2)
    again = f"{fab(c)} deploy" + (" --rollback" if rollback else "")
    report = make_report("json" if json else "auto", again=again, redact=store.redact)
    if rollback:
        there = releases.read(cluster, sudo_password=password)
        to = there.former(release)
        results = releases.go_back(cluster, to, store, report, check=check, sudo_password=password)
        if not json:
            print("\n".join(releases.farewell(there, to)))
    else:
        results = put(cluster, store, report, check=check, sudo_password=password)
    if code := exit_code(results):
        raise Exit("the old release goes on serving", code=code)
