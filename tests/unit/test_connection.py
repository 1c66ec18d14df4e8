"""The ways to nodes, as long as nobody goes them."""

from __future__ import annotations

from nodriza.connection import unopened
from nodriza.inventory import Cluster


def test_ways__share_no_configuration(three_node: Cluster) -> None:
    """One for all was read half written by other threads: eight of a thousand nodes failed."""
    ways = [unopened(node, three_node) for node in three_node.nodes]
    assert len({id(way.config) for way in ways}) == len(ways)
