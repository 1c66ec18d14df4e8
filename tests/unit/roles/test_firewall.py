"""Who may talk to which node: the rules of the firewall."""

from __future__ import annotations

import re

from nodriza.plan.render import Renderer, Template
from nodriza.resources import Package
from tests.unit.roles.made import content, remake, resources, role, settings


def test_central__takes_no_web_traffic(cluster):
    rules = content(cluster, "server-1", "/etc/nftables.conf")
    open_to_all = [line for line in settings(rules) if line.startswith("tcp dport")]
    assert open_to_all == ["tcp dport { 22 } accept"]
    assert not {"nginx", "uwsgi-core"} & {p.name for p in resources(cluster, "server-1", Package)}


def test_central__serves_the_other_nodes_at_its_private_address_only(three_node):
    rules = settings(content(three_node, "server-1", "/etc/nftables.conf"))
    assert (
        "ip saddr { 198.18.7.12, 198.18.7.13, 198.18.7.21 } ip daddr 198.18.7.11"
        " tcp dport { 2049 } accept"
    ) in rules


def private_doors(cluster, name):
    """Port to the addresses that it is open to, besides those that are open to all."""
    rules = settings(content(cluster, name, "/etc/nftables.conf"))
    pattern = r"ip saddr { (.*) } ip daddr \S+ tcp dport { (.*) } accept"
    found = [match for match in (re.fullmatch(pattern, rule) for rule in rules) if match]
    return {port: set(m[1].split(", ")) for m in found for port in m[2].split(", ")}


def test_each_node__reaches_only_what_its_own_work_needs(three_node):
    everybody = {"198.18.7.12", "198.18.7.13", "198.18.7.21"}
    doors = private_doors(three_node, "server-1")
    assert doors == dict.fromkeys(("3306", "6379", "6380", "2049"), everybody)
    without = remake(three_node, app=three_node.app.model_copy(update={"celery": None}))
    doors = private_doors(without, "server-1")
    assert "198.18.7.21" in doors["2049"]  # ffmpeg's films
    assert doors["3306"] == doors["6379"] == doors["6380"] == everybody - {"198.18.7.21"}
    assert private_doors(three_node, "server-2") == private_doors(three_node, "video-1") == {}


def test_variable_needs__opens_a_door_for_a_role_of_ones_own(three_node):
    without = three_node.app.model_copy(update={"celery": None})
    video = three_node.nodes_of("video")[0].model_copy(update={"variables": {"needs": ["mysql"]}})
    fields = {k: getattr(three_node, k) for k in type(three_node).model_fields}
    nodes = (*three_node.nodes[:3], video)
    cluster = type(three_node)(**fields | {"app": without, "nodes": nodes})
    doors = private_doors(cluster, "server-1")
    assert video.private in doors["3306"]
    assert video.private not in doors["6379"]


def test_child__is_open_for_the_web_and_for_nothing_else(cluster):
    rules = settings(content(cluster, "server-2", "/etc/nftables.conf"))
    assert [line for line in rules if "tcp dport" in line and "reject" not in line] == [
        "tcp dport { 22 } accept",
        "tcp dport { 80 } accept",
    ]


def test_child__counts_the_connections_of_an_address_but_not_those_of_a_proxy(three_node):
    limits = three_node.limits.model_copy(update={"connections": 77})
    cluster = remake(three_node, proxies=("192.0.2.7", "192.0.2.32/28"), limits=limits)
    rules = settings(content(cluster, "server-2", "/etc/nftables.conf"))
    web = [line for line in rules if "tcp dport { 80 }" in line]
    assert web[0] == "ip saddr { 192.0.2.7, 192.0.2.32/28 } tcp dport { 80 } accept"
    assert "ip saddr ct count over 77" in web[1]
    assert web[2] == "tcp dport { 80 } accept"
    assert "ct count" not in content(cluster, "server-1", "/etc/nftables.conf")


def test_video__is_open_for_operators_only(cluster):
    rules = settings(content(cluster, "video-1", "/etc/nftables.conf"))
    assert [line for line in rules if "tcp dport" in line] == ["tcp dport { 22 } accept"]


def test_firewall__keeps_22_and_the_port_of_the_inventory_open(three_node):
    node = three_node.node("server-2")
    moved = node.model_copy(update={"ssh": node.ssh.model_copy(update={"port": 2222})})
    rules = next(
        item for item in role("firewall")(moved, three_node) if isinstance(item, Template)
    )
    text = Renderer().render(rules, moved, three_node).content
    assert "tcp dport { 22, 2222 } accept" in settings(text)


def test_firewall__never_removes_the_tables_of_others(cluster):
    rules = settings(content(cluster, "server-1", "/etc/nftables.conf"))
    assert rules[:2] == ["table inet nodriza", "delete table inet nodriza"]
    assert not [line for line in rules if "flush" in line]
