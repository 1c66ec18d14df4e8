"""Who is shut out: what changes on which node, and who can't be."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from nodriza.errors import TargetError
from nodriza.operate import block
from tests.unit.roles.made import content, remake

RULES = "/etc/nftables.conf"
SITE = "/etc/nginx/conf.d/videoteca.conf"


def ids(plans):
    return {plan.node: [each.resource.id for each in plan.resources] for plan in plans}


def test_each_node__gets_its_firewall_and_nothing_else_of_its_plan(three_node):
    after = remake(three_node, blocked=("203.0.113.9",))
    every = [node.name for node in three_node.nodes]
    mine = [f"file:{RULES}", "service:nftables"]
    assert ids(block.differences(three_node, after)) == dict.fromkeys(every, mine)
    assert ids(block.differences(after, after)) == {}


def test_behind_proxies__the_web_server_knows_too(three_node):
    before = remake(three_node, proxies=("192.0.2.7",))
    after = remake(before, blocked=("203.0.113.9",))
    found = ids(block.differences(before, after))
    assert found["server-2"][-2:] == [f"file:{SITE}", "service:nginx"]
    assert "nginx" not in str(found["server-1"])
    text = content(after, "server-2", SITE)
    assert "    203.0.113.9 1;\n" in text
    assert text.index("if ($blocked) {") < text.index("location / {\n        include")


def test_who_is_shut_out__loses_what_is_open_too(three_node):
    rules = content(
        remake(three_node, blocked=("203.0.113.9", "203.0.113.0/24")), "server-2", RULES
    )
    assert "elements = { 203.0.113.9, 203.0.113.0/24 }" in rules
    assert "auto-merge" in rules
    assert rules.index("ip saddr @blocked") < rules.index("ct state established,related accept")


def test_network_of_the_one_who_asks__is_refused_before_anything(three_node, monkeypatch):
    seen = [("server-2", IPv4Address("203.0.113.77"))]
    monkeypatch.setattr(block, "_we", lambda *_: seen)
    monkeypatch.setattr(block, "add_entry", pytest.fail)
    with pytest.raises(TargetError, match=r"203\.0\.113\.77 is what server-2 sees you as"):
        block.block(three_node, "203.0.113.0/24", None)


def test_part_of_a_blocked_network__is_told_in_both_directions(three_node):
    cluster = remake(three_node, blocked=("203.0.113.0/24",))
    with pytest.raises(TargetError, match=r"blocked already, as a part of 203\.0\.113\.0/24"):
        block.block(cluster, "203.0.113.9", None)
    with pytest.raises(TargetError, match=r"is blocked as a part of 203\.0\.113\.0/24"):
        block.unblock(cluster, "203.0.113.9", None)
    with pytest.raises(TargetError, match=r"198\.51\.100\.7 is not blocked"):
        block.unblock(cluster, "198.51.100.7", None)
