"""fab restart"""

from __future__ import annotations

from invoke import Context, Exit

from .kinds import WAIT, FromNought, Nodes, Unit
from .session import command, fab, reachable_cluster, sudo_password, vault


@command(
    subject="target",
    connects=True,
    help={
        "unit": "this service; without it what runs the application",
        "check": "change nothing, say what would restart",
        "json": "one JSON object per event, for machines",
        "wait": WAIT,
    },
)
def restart(
    c: Context,
    target: Nodes = "",
    unit: Unit = "",
    check: bool = False,
    json: bool = False,
    wait: FromNought = 0,
) -> None:
    """Restart services in turns, and each node has to be well: restart:server-n --unit nginx."""
    from nodriza.inventory import resolve_target
    from nodriza.operate.restart import restart as engine
    from nodriza.report import make_report
    from nodriza.rollout.waves import exit_code

    cluster = reachable_cluster(c, target)
    nodes = resolve_target(cluster, target)
    again = f"{fab(c)} restart:{{node}}{f' --unit {unit}' if unit else ''}"
    report = make_report("json" if json else "auto", again=again, redact=vault(cluster).redact)
    options = {"check": check, "wait": wait, "sudo_password": sudo_password(c)}
    if code := exit_code(engine(cluster, nodes, unit, report, **options)):
        raise Exit(code=code)
