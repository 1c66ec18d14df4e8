"""dns: answers for the site's own name, with the children that are in rotation."""

from __future__ import annotations

from collections.abc import Iterator

from nodriza.role import (
    Cluster,
    Node,
    Offer,
    Package,
    Resource,
    Service,
    Template,
    Zone,
    servers,
    template,
)

CHECK = ("nsd-checkconf", "/etc/nsd/nsd.conf")
# To resolvers, and to the other name servers of the zone.
OFFERS = (Offer("names", ("53",), "DNS", public=True, protocols=("tcp", "udp")),)
HEAD = """\
$ORIGIN {domain}.
$TTL {ttl}
@ IN SOA ns1 {mailbox}. (
    SERIAL ; serial
    {refresh} ; refresh: a secondary that missed the news asks again
    {retry} ; retry
    1209600 ; expire: for two weeks the others answer without the first
    {ttl} ; how long "there is no such name" may be believed
)
"""


def dns(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """nsd: it answers for its own zones and does nothing else, and has checkers for both files.

    The first node that has this role makes the zone, the others follow it: they are told
    of each change, and take it over the private network with a key.
    """
    first, *others = servers(cluster, "names") or (node,)
    conf = template(
        "dns/nsd.conf.j2",
        to="/etc/nsd/nsd.conf",
        group="nsd",
        mode="0640",
        addresses=list(dict.fromkeys([node.private, node.web_address])),
        first=first,
        others=others,
    )
    yield Package("nsd")
    yield conf
    if node.name != first.name:
        yield Service("nsd", restart_on=(conf, *node.zone), check=CHECK)
        return
    own = zone(cluster)
    yield own
    both = f"{' '.join(CHECK)} && nsd-checkzone {cluster.domain} {own.path}"
    yield Service("nsd", reload_on=(own,), restart_on=(conf, *node.zone), check=("sh", "-c", both))


def zone(cluster: Cluster) -> Zone:
    """Every child, and never the central node; who answers for it, if that is one of ours.

    Aliases in the zone follow the site's own records, and so its rotation.
    """
    ttl = cluster.dns.ttl
    head = HEAD.format(
        domain=cluster.domain,
        ttl=ttl,
        mailbox=mailbox(cluster),
        refresh=max(ttl, 60),
        retry=max(ttl // 2, 30),
    )
    named = list(enumerate(servers(cluster, "names"), 1))
    head += "".join(f"@ IN NS ns{number}\n" for number, _ in named)
    head += "".join(f"ns{number} IN A {node.web_address}\n" for number, node in named)
    head += "".join(f"{name} IN CNAME @\n" for name in within(cluster))
    return Zone(
        f"/etc/nsd/{cluster.domain}.zone",
        head,
        tuple((child.name, child.web_address) for child in cluster.children),
        health=f"{'https' if cluster.tls.on else 'http'}://ADDRESS/healthz",
        name=cluster.domain,
    )


def within(cluster: Cluster) -> list[str]:
    """The aliases that are names of this zone, as they are written in it."""
    below = f".{cluster.domain}"
    return [alias.removesuffix(below) for alias in cluster.aliases if alias.endswith(below)]


def mailbox(cluster: Cluster) -> str:
    """An address as a name: a dot in its first part is written with a backslash (RFC 1035)."""
    local, _, domain = (cluster.dns.email or f"hostmaster@{cluster.domain}").partition("@")
    return f"{local.replace('.', chr(92) + '.')}.{domain}"
