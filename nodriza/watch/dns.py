"""The zone of a cluster: for a provider to take, and as the world's resolvers have it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver

from nodriza import foreign
from nodriza.errors import RoleError, TargetError
from nodriza.inventory import resolve_target
from nodriza.plan.offers import links, offers_of_all_roles, servers
from nodriza.plan.plan import declared, has_own, where_said
from nodriza.resources import Zone

if TYPE_CHECKING:
    from nodriza.inventory import Cluster

PATIENCE = 5  # seconds for an answer
_OURS = re.compile(r"\$|@ IN A |\S+ IN CNAME ")
"""The lines of a zone that are the site's and not its name servers'."""


def drained(cluster: Cluster, target: str) -> list[str]:
    """The names of the children that a target means; none for no target."""
    nodes = resolve_target(cluster, target) if target else ()
    others = [node.name for node in nodes if not node.serves]
    if others:
        raise TargetError(
            f"{', '.join(others)}: only children are in the zone",
            kept="nothing was done",
            do=f"choose from {', '.join(child.name for child in cluster.children)}",
        )
    return [node.name for node in nodes]


def zone_of(cluster: Cluster) -> Zone:
    """What a role that offers "names" makes of the cluster, on a node that has it or might.

    ``RoleError`` where it makes no zone.
    """
    node = next(iter(servers(cluster, "names")), cluster.nodes[0])
    offers = links(cluster).offers[node.name]
    if not any(offer.job == "names" for _, offer in offers):
        offers = offers_of_all_roles(node, cluster)
    roles = [role for role, offer in offers if offer.job == "names"]
    # Of several that nobody has, the repository's own is meant.
    role = min(roles, key=lambda name: not has_own(name, cluster))
    for item, _ in declared(role, node, cluster):
        if isinstance(item, Zone):
            return item
    raise RoleError(
        f'the role {role} offers "names" and yields no Zone',
        where=where_said(role, "OFFERS", cluster),
        kept="nothing was done",
    )


def as_zone_file(cluster: Cluster, without: Sequence[str]) -> str:
    """RFC 1035. Only the records where no node answers for the name: the provider has the rest."""
    text = zone_of(cluster).text(int(time.time()), without)
    notes = "".join(f"; {words}\n" for words in elsewhere(cluster))
    if servers(cluster, "names"):
        return text + notes
    lines = text.splitlines(keepends=True)
    return "".join(line for line in lines if _OURS.match(line)) + notes


def elsewhere(cluster: Cluster) -> list[str]:
    """What is to be done for each alias that is no name in the site's zone."""
    outside = [alias for alias in cluster.aliases if not _in_zone(alias, cluster)]
    return [
        f"{alias} is not in this zone: where its own is kept, give it the same addresses"
        " (or a CNAME, if it is no zone itself)"
        for alias in outside
    ]


def _in_zone(alias: str, cluster: Cluster) -> bool:
    return alias.endswith(f".{cluster.domain}")


def as_octodns(cluster: Cluster, without: Sequence[str]) -> str:
    """The same for octoDNS, as its YamlProvider reads it: config/<domain>.yaml."""
    ttl = f"  ttl: {cluster.dns.ttl}"
    lines = ["---", "'':", ttl, "  type: A", "  values:"]
    lines += [f"    - {at}" for at in addresses(cluster, without)]
    for alias in cluster.aliases:
        if _in_zone(alias, cluster):
            name = alias.removesuffix(f".{cluster.domain}")
            lines += [f"'{name}':", ttl, "  type: CNAME", f"  value: {cluster.domain}."]
    return "\n".join([*lines, *(f"# {words}" for words in elsewhere(cluster))]) + "\n"


def addresses(cluster: Cluster, without: Sequence[str] = ()) -> list[str]:
    """Those of the children that are in rotation."""
    return [child.web_address for child in cluster.children if child.name not in without]


def check(cluster: Cluster, resolvers: Sequence[str]) -> Iterator[tuple[bool, str]]:
    """Whether each answer is right, and what it is.

    What our first name server that answers says must be children of the inventory (those
    that are drained are missing, and named); all others must say the same. Without one of
    ours the inventory itself is what they must say.
    """
    children = {child.web_address: child.name for child in cluster.children}
    expected, measure = set(children), ""
    for node in servers(cluster, "names"):
        found, ttl, words = _ask(cluster.domain, node.web_address, recursive=False)
        strangers = sorted(found - set(children))
        missing = [name for at, name in children.items() if at not in found]
        right = bool(found) and not strangers and (not measure or found == expected)
        if ttl > cluster.dns.ttl:
            right, words = False, f"a TTL of {ttl} s instead of {cluster.dns.ttl} s"
        if strangers:
            words = f"{', '.join(strangers)} is no child"
        elif not found and not words:
            words = "it knows no address of the site"
        elif not right and not words:
            words = f"other addresses than {measure} has"
        elif right and missing:
            words = f"without {', '.join(missing)}: drained, or not well yet"
        yield right, _line(node.name, found, words)
        if right and not measure:
            expected, measure = found, node.name
    resolvers = resolvers or _own_resolvers()
    for resolver in resolvers:
        found, _, words = _ask(cluster.domain, resolver, recursive=True)
        words = words or _difference(expected, found)
        yield not words, _line(resolver, found, words)
    for alias in cluster.aliases:
        yield from _check_alias(alias, cluster, resolvers, expected)


def _check_alias(
    alias: str, cluster: Cluster, resolvers: Sequence[str], expected: set[str]
) -> Iterator[tuple[bool, str]]:
    """The same addresses as the site's, from whom its name may be asked."""
    ours = servers(cluster, "names") if _in_zone(alias, cluster) else ()
    asked = [(node.name, node.web_address, False) for node in ours]
    asked += [(resolver, resolver, True) for resolver in resolvers]
    for who, address, recursive in asked:
        found, _, words = _ask(alias, address, recursive=recursive)
        words = words or _difference(expected, found)
        yield not words, _line(who, found, ": ".join(filter(None, (alias, words))))


def _difference(expected: set[str], found: set[str]) -> str:
    lacks, more = sorted(expected - found), sorted(found - expected)
    parts = [f"lacks {', '.join(lacks)}"] * bool(lacks)
    parts += [f"has {', '.join(more)} besides"] * bool(more)
    return "; ".join(parts)


def _line(who: str, found: set[str], words: str) -> str:
    # Of thousands of addresses some are enough.
    answer = foreign.line(", ".join(sorted(found))) or "no address"
    return f"{who:<15}  {answer}" + (f"  ({foreign.line(words)})" if words else "")


def _own_resolvers() -> list[str]:
    return [str(server) for server in dns.resolver.Resolver().nameservers]


def _ask(name: str, server: str, *, recursive: bool) -> tuple[set[str], int, str]:
    """Addresses, their TTL, and what is wrong, if there was no answer of use."""
    question = dns.message.make_query(name, dns.rdatatype.A)
    if not recursive:
        question.flags &= ~dns.flags.RD
    try:
        answer, _ = dns.query.udp_with_fallback(question, server, timeout=PATIENCE)
    except dns.exception.Timeout:
        return set(), 0, f"no answer within {PATIENCE} s"
    except (OSError, dns.exception.DNSException) as error:
        return set(), 0, foreign.reason(error)
    if answer.rcode() != dns.rcode.NOERROR:
        return set(), 0, f"says {dns.rcode.to_text(answer.rcode())}"
    if not recursive and not answer.flags & dns.flags.AA:
        return set(), 0, "does not answer for this zone"
    sets = [rrset for rrset in answer.answer if rrset.rdtype == dns.rdatatype.A]
    found = {record.address for rrset in sets for record in rrset}
    return found, max((rrset.ttl for rrset in sets), default=0), ""
