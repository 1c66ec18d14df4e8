"""What is right in an inventory and may still surprise its owner."""

from __future__ import annotations

from nodriza.inventory.model import Cluster


def doubts(cluster: Cluster) -> list[str]:
    """Each in a line, for people; none of a lab, whose nodes are one computer's."""
    if cluster.lab or cluster.share.engine != "glusterfs":
        return []
    return [
        "warning: share/engine is glusterfs, where root of any node is root of the share: it can"
        f" change media, the reload file and what else lies in {cluster.app.root} (not the code,"
        " of which each node has its own copy). engine: nfs keeps root of a node out;"
        " docs/security.rst"
    ]
