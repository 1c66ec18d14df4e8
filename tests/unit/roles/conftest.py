"""The lab's cluster, with either of the shares."""

from __future__ import annotations

import pytest


@pytest.fixture
def gluster(three_node):
    """The same cluster with the share that needs no NFS in the kernel."""
    from nodriza.inventory.roles import default_roles

    share = three_node.share.model_copy(update={"engine": "glusterfs"})
    nodes = tuple(
        node.model_copy(update={"roles": default_roles(node.kind, "glusterfs")})
        for node in three_node.nodes
    )
    return type(three_node)(
        **{**{k: getattr(three_node, k) for k in type(three_node).model_fields}}
        | {"share": share, "nodes": nodes}
    )


@pytest.fixture(params=["nfs", "glusterfs"])
def cluster(request, three_node, gluster):
    return three_node if request.param == "nfs" else gluster
