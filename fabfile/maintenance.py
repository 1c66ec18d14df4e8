"""fab maintenance"""

from __future__ import annotations

from typing import Annotated, Any

from invoke import Context, Exit

from .kinds import WAIT, FromNought, OneOf, Resolvers
from .output import say
from .refusal import refusal
from .session import command, fab, reachable_cluster, sudo_password, vault


@command(
    subject="state",
    connects=True,
    looks=lambda values: not values["state"],
    help={
        "state": "on or off; without it, how it is",
        "allow": "addresses that see the site meanwhile, with commas; for others see operators"
        " in the inventory",
        "check": "change nothing, say what would change",
        "wait": WAIT,
    },
)
def maintenance(
    c: Context,
    state: Annotated[str, OneOf("on", "off")] = "",
    allow: Resolvers = "",
    check: bool = False,
    wait: FromNought = 0,
) -> None:
    """Close the site for visitors, who get a page and 503: maintenance on --allow 192.0.2.1."""
    from nodriza.operate import maintenance as engine
    from nodriza.report import make_report
    from nodriza.rollout.waves import exit_code
    from nodriza.watch.health import look

    if allow and state != "on":
        raise refusal(
            f"--allow is for maintenance on, not for {state or 'a look'}",
            "fab maintenance on --allow ADDRESS",
        )
    cluster = reachable_cluster(c)
    options: dict[str, Any] = {"sudo_password": sudo_password(c)}
    if not state:
        results = look(cluster, cluster.children, **options)
        say("\n".join(engine.words(results)))
        if not engine.is_same(results):
            say(f"next: {fab(c)} maintenance on, or {fab(c)} maintenance off")
            raise Exit(code=1)
        return
    report = make_report(again=f"{fab(c)} maintenance {state}", redact=vault(cluster).redact)
    addresses = allow.split(",") if allow else []
    options |= {"check": check, "wait": wait}
    results = engine.switch(cluster, report, on=state == "on", allow=addresses, **options)
    if code := exit_code(results):
        raise Exit(code=code)
    if state == "on" and not check:
        say(f"visitors get 503 and a page, on every child, until: {fab(c)} maintenance off")
