"""The site closed for visitors, and open again: all children at once, until somebody says so.

A file on each child tells its web server (``roles/nginx.py``). So nothing has to be reloaded, a
reboot and a provision change nothing about it, and whoever provisions meanwhile, from whatever
inventory, opens nothing.
"""

from __future__ import annotations

import getpass
import ipaddress
import socket
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nodriza.errors import TargetError
from nodriza.plan.plan import Plan, Planned
from nodriza.resources import Absent, File, Health
from nodriza.rollout.run import Run
from nodriza.rollout.waves import roll_out
from nodriza.watch.health import let_in, look, maintenance, marks_of_maintenance

if TYPE_CHECKING:
    from nodriza.inventory import Cluster
    from nodriza.report import Report
    from nodriza.report.result import NodeResult
    from nodriza.resources import Resource

KNOWN = "known"
"""What a provision puts beside the others, when the web server knows what they mean."""

Results = dict[str, "NodeResult"]


def switch(
    cluster: Cluster, report: Report, *, on: bool, allow: Sequence[str] = (), **options: Any
) -> Results:
    """Close the site, or open it; ``allow``: addresses that see it nevertheless.

    A child that is not there now keeps what it had, and is in the results. ``options`` are fields
    of ``Run``. Raises ``TargetError`` for children whose web server does not know of it yet.
    """
    password = options.get("sudo_password")
    before = look(cluster, cluster.children, sudo_password=password)
    if on:
        refuse_old(before)
    plans = [
        Plan(child.name, tuple(_opened(before[child.name]) if not on else _closed(allow)))
        for child in cluster.children
    ]
    what = f"maintenance {'on' if on else 'off'}"
    return roll_out(Run(cluster, report, {}, what, **options), plans)


def refuse_old(results: Results) -> None:
    """Raises ``TargetError`` where a file would tell the web server nothing."""
    old = [
        name
        for name, result in results.items()
        if not result.error and KNOWN not in marks_of_maintenance(result)
    ]
    if old:
        raise TargetError(
            f"{', '.join(old)}: the web server does not know of maintenance yet",
            kept="nothing was changed",
            do=f"fab provision:{','.join(old)}",
        )


def _closed(allow: Iterable[str]) -> Iterator[Planned]:
    who = f"{getpass.getuser()} from {socket.gethostname()}\n"
    # Who shall be let in, before there is anything to be let into.
    for word in allow:
        address = ipaddress.ip_address(word.strip())
        yield _ours(File(f"{Health.CLOSED}/allow-{address}", who))
    yield _ours(File(f"{Health.CLOSED}/on", who))


def _opened(before: NodeResult) -> Iterator[Planned]:
    yield _ours(Absent(f"{Health.CLOSED}/on"))
    for address in [] if before.error else let_in(before):
        yield _ours(Absent(f"{Health.CLOSED}/allow-{address}"))


def _ours(resource: Resource) -> Planned:
    return Planned(resource, "fab maintenance")


def words(results: Results) -> Iterator[str]:
    """How the children are, a line each."""
    width = max(map(len, results), default=0)
    for name, result in results.items():
        if result.error:
            said = result.error.what
        else:
            said = "closed" if maintenance(result) else "open"
            if maintenance(result) and (addresses := let_in(result)):
                said += f"; let in: {', '.join(addresses)}"
        yield f"{name:<{width}}  {said}"


def is_same(results: Results) -> bool:
    """Whether all children answered, and tell their visitors the same."""
    return (
        not any(result.error for result in results.values())
        and len({maintenance(result) for result in results.values()}) <= 1
    )
