"""The name servers: the first makes the zone, the others follow it."""

from __future__ import annotations

import pytest

from nodriza.resources import Package, Zone
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


def test_time_to_live__is_the_inventory_s(named):
    short = remake(named, dns=named.dns.model_copy(update={"ttl": 5}))
    (zone,) = resources(short, "server-1", Zone)
    assert "$TTL 5\n" in zone.head
