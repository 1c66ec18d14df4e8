"""The lab's cluster, with either of the shares."""

from __future__ import annotations

import pytest


@pytest.fixture
def gluster(three_node):
    """The same cluster with the share that needs no NFS in the kernel."""
    from tests.unit.roles.test_tls import with_roles

    share = three_node.share.model_copy(update={"engine": "glusterfs"})
    its = three_node.services["share"].model_copy(update={"engine": "glusterfs"})
    services = {**three_node.services, "share": its}
    nodes = with_roles(three_node, services)
    return type(three_node)(
        **{**{k: getattr(three_node, k) for k in type(three_node).model_fields}}
        | {"share": share, "services": services, "nodes": nodes}
    )


@pytest.fixture(params=["nfs", "glusterfs"])
def cluster(request, three_node, gluster):
    return three_node if request.param == "nfs" else gluster
