"""The name servers: the first makes the zone, the others follow it."""

from __future__ import annotations

import pytest

from nodriza.resources import Package, Zone
from nodriza.watch.dns import as_octodns, as_zone_file
from tests.unit.roles.made import content, remake, resources, settings

CONF = "/etc/nsd/nsd.conf"


@pytest.fixture
def named(three_node):
    """The central node is the first name server, the video node the second."""
    roles = {"server-1", "video-1"}
    nodes = tuple(
        node.model_copy(update={"roles": (*node.roles, "dns")}) if node.name in roles else node
        for node in three_node.nodes
    )
    fields = {key: getattr(three_node, key) for key in type(three_node).model_fields}
    return type(three_node)(**fields | {"nodes": nodes})


def test_first__makes_the_zone_and_tells_the_others_with_a_key(named):
    (zone,) = resources(named, "server-1", Zone)
    assert zone.children == (("server-2", "198.18.8.12"), ("server-3", "198.18.8.13"))
    conf = settings(content(named, "server-1", CONF))
    for word in ("notify", "provide-xfr"):
        assert f'{word}: 198.18.7.21 "three-node"' in conf
    assert 'secret: "‹secret:dns_tsig›"' in conf
    assert not [line for line in conf if line.startswith("request-xfr")]


def test_others__follow_and_keep_what_they_got_where_a_power_cut_leaves_it(named):
    assert resources(named, "video-1", Zone) == []
    conf = settings(content(named, "video-1", CONF))
    for word in ("allow-notify", "request-xfr"):
        assert f'{word}: 198.18.7.11 "three-node"' in conf
    assert {"zonefiles-write: 10", 'database: ""', 'xfrdfile: ""'} <= {*conf}
    assert "zonefiles-write: 10" not in settings(content(named, "server-1", CONF))


def test_name_servers__are_open_to_everybody_and_the_other_nodes_are_not(named):
    door = "meta l4proto { tcp, udp } th dport 53 accept"
    for node in named.nodes:
        is_open = door in settings(content(named, node.name, "/etc/nftables.conf"))
        assert is_open == ("dns" in node.roles)
        packages = {package.name for package in resources(named, node.name, Package)}
        assert ("nsd" in packages) == is_open


def test_alias__in_the_zone_follows_the_site_and_others_are_named(named):
    cluster = remake(named, aliases=("www.videoteca.test", "a.b.videoteca.test", "other.example"))
    (zone,) = resources(cluster, "server-1", Zone)
    assert "www IN CNAME @\na.b IN CNAME @\n" in zone.head
    assert "other.example" not in zone.head
    printed = as_zone_file(cluster, [])
    assert printed.splitlines()[-1].startswith("; other.example is not in this zone")
    yaml = as_octodns(cluster, [])
    assert "'www':\n  ttl: 60\n  type: CNAME\n  value: videoteca.test.\n" in yaml
    assert yaml.splitlines()[-1].startswith("# other.example is not in this zone")


def test_records_for_a_provider__have_the_aliases(three_node):
    cluster = remake(three_node, aliases=("www.videoteca.test",))
    lines = as_zone_file(cluster, ["server-3"]).splitlines()
    assert lines == [
        "$ORIGIN videoteca.test.",
        "$TTL 60",
        "www IN CNAME @",
        "@ IN A 198.18.8.12 ; server-2",
    ]


def test_time_to_live__is_the_inventory_s(named):
    short = remake(named, dns=named.dns.model_copy(update={"ttl": 5}))
    (zone,) = resources(short, "server-1", Zone)
    assert "$TTL 5\n" in zone.head
