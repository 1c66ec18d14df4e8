"""fab block, fab unblock"""

from __future__ import annotations

from typing import Any

from invoke import Context, Exit

from .kinds import WAIT, Blocked, FromNought
from .output import say
from .session import command, fab, reachable_cluster, sudo_password, vault

ADDRESS = "an address, or a network such as 203.0.113.0/24"


@command(
    subject="address",
    connects=True,
    edits=True,
    looks=lambda values: not values["address"],
    help={"address": f"{ADDRESS}; without it, who is blocked", "wait": WAIT},
)
def block(c: Context, address: Blocked = "", wait: FromNought = 0) -> None:
    """Shut an address out on all nodes, and write it into the inventory: block 203.0.113.9."""
    if address:
        _do(c, "block", address, wait)
        return
    from .session import current_cluster

    blocked = current_cluster(c).blocked
    say("\n".join(blocked) or "nobody is blocked")


@command(subject="address", connects=True, edits=True, help={"address": ADDRESS, "wait": WAIT})
def unblock(c: Context, address: Blocked, wait: FromNought = 0) -> None:
    """Let an address in again, and take it out of the inventory: unblock 203.0.113.9."""
    _do(c, "unblock", address, wait)


def _do(c: Context, word: str, address: str, wait: int) -> None:
    from nodriza.operate import block as engine
    from nodriza.report import make_report
    from nodriza.rollout.waves import exit_code

    cluster = reachable_cluster(c)
    # The inventory is written by then: what is left to do is a provision.
    report = make_report(again=f"{fab(c)} provision:{{node}}", redact=vault(cluster).redact)
    options: dict[str, Any] = {"sudo_password": sudo_password(c), "wait": wait}
    results = getattr(engine, word)(cluster, address, report, **options)
    if code := exit_code(results):
        raise Exit(code=code)
    say(f"{cluster.path.name} has it {'' if word == 'block' else 'no longer '}under blocked")
