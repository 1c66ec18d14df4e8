"""fab dns.zone, dns.check"""

from __future__ import annotations

from invoke import Context, Exit

from .session import command, current_cluster, reachable_cluster


@command(
    reads=True,
    help={
        "format": "zone (a zone file) or octodns (YAML)",
        "without": "children that are drained, separated by commas",
    },
)
def zone(c: Context, format: str = "zone", without: str = "") -> None:
    """Print the zone with an address for each child, for a DNS provider; asks no host."""
    from nodriza import dns

    made = {"zone": dns.as_zone_file, "octodns": dns.as_octodns}.get(format)
    if made is None:
        raise Exit(
            f"no format {format}\n  kept: nothing was done\n"
            "  next: --format zone, or --format octodns",
            code=2,
        )
    names = [name.strip() for name in without.split(",") if name.strip()]
    print(made(current_cluster(c), names), end="")


@command(
    reads=True,
    help={"resolver": "addresses, separated by commas; default: this computer's resolvers"},
)
def check(c: Context, resolver: str = "") -> None:
    """Ask the name servers and resolvers for the site; exit 2 when one says otherwise."""
    from nodriza import dns

    resolvers = [address.strip() for address in resolver.split(",") if address.strip()]
    wrong = 0
    for right, line in dns.check(reachable_cluster(c), resolvers):
        print(f"{'ok ' if right else 'bad'}  {line}")
        wrong += not right
    if wrong:
        raise Exit(code=2)
