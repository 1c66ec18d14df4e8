"""glusterfs_client: the share's files, at the same place as there."""

from __future__ import annotations

from collections.abc import Iterator

from nodriza.role import (
    Cluster,
    Directory,
    Mount,
    Node,
    Package,
    Resource,
    Template,
    server,
    template,
)

SHOWN = False

# Each with its reason; mount.glusterfs(8), systemd.mount(5).
OPTIONS = (
    "attribute-timeout=1",  # a touched reload file, a switched release: seen after a second,
    "entry-timeout=1",  # which is the default, but the deploy counts on it
    "nosuid",  # what users upload never runs as somebody else,
    "nodev",  # nor is it a disk
    "_netdev",  # mounted after the network is up, unmounted before it goes down
    "nofail",  # this node boots, and can be logged in to, also when the central is away
    "x-systemd.mount-timeout=30",  # one attempt; the next access makes another
)


NEEDS = ("share",)


def glusterfs_client(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """Mounted on first access, and again whenever it is lost."""
    app, share = cluster.app, server(cluster, "share")
    # An application's name needs no escape in a unit's name (systemd-escape(1)).
    drop_ins = f"/etc/systemd/system/srv-{app.name}.mount.d"
    yield Package("glusterfs-client")
    yield Directory(drop_ins)
    yield template("glusterfs_client/retry.conf.j2", to=f"{drop_ins}/retry.conf", share=share)
    yield Mount(
        app.root,
        source=f"{share.private}:/{app.name}",
        fstype="glusterfs",
        options=(*OPTIONS, *cluster.share.options),
        automount=True,
    )
