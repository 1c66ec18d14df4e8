"""fab dns.zone, dns.check"""

from __future__ import annotations

from typing import Annotated

from invoke import Context, Exit

from .kinds import Nodes, OneOf, Resolvers
from .session import command, current_cluster, reachable_cluster


@command(
    reads=True,
    help={
        "format": "zone (a zone file) or octodns (YAML)",
        "without": "children that are drained, separated by commas",
    },
)
def zone(
    c: Context,
    format: Annotated[str, OneOf("zone", "octodns")] = "zone",
    without: Nodes = "",
) -> None:
    """Print the zone with an address for each child, for a DNS provider; asks no host."""
    from nodriza.watch import dns

    made = {"zone": dns.as_zone_file, "octodns": dns.as_octodns}[format]
    cluster = current_cluster(c)
    print(made(cluster, dns.drained(cluster, without)), end="")


@command(
    reads=True,
    help={"resolver": "addresses, separated by commas; default: this computer's resolvers"},
)
def check(c: Context, resolver: Resolvers = "") -> None:
    """Ask the name servers and resolvers for the site; exit 2 when one says otherwise."""
    from nodriza.watch import dns

    resolvers = [address.strip() for address in resolver.split(",") if address.strip()]
    wrong = 0
    for right, line in dns.check(reachable_cluster(c), resolvers):
        print(f"{'ok ' if right else 'bad'}  {line}")
        wrong += not right
    if wrong:
        raise Exit(code=2)
