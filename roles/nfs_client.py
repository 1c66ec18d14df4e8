"""nfs_client: the share's files, at the same place as there."""

from __future__ import annotations

from collections.abc import Iterator

from nodriza.role import (
    Cluster,
    Directory,
    Mount,
    Node,
    Package,
    Resource,
    Service,
    Template,
    server,
    template,
)

SHOWN = False

# Each with its reason; nfs(5), systemd.mount(5). noatime and its like are not here
# because they have no effect on NFS.
OPTIONS = (
    "vers=4.2",  # nothing to negotiate: Debian 12 and 13 both speak it
    "hard",  # while the central is away programs wait; soft would tell them their file is broken
    "actimeo=1",  # a touched reload file, a switched release, a new upload: seen after a second
    "nosuid",  # what users upload never runs as somebody else,
    "nodev",  # nor is it a disk
    "_netdev",  # mounted after the network is up, unmounted before it goes down
    "nofail",  # this node boots, and can be logged in to, also when the central is away
    "x-systemd.mount-timeout=30",  # one attempt; the next access makes another
)


NEEDS = ("share",)


def nfs_client(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """Mounted on first access, and again whenever it is lost."""
    app, share = cluster.app, server(cluster, "share")
    # An application's name needs no escape in a unit's name (systemd-escape(1)).
    drop_ins = f"/etc/systemd/system/srv-{app.name}.mount.d"
    yield Package("nfs-common")
    # The portmapper comes along, and would listen on every address. NFSv4 has no use for it.
    yield Service("rpcbind.socket", masked=True)
    yield Service("rpcbind", masked=True)
    yield Service("rpc-statd", masked=True)  # locks of version 3; without the other it fails
    yield Directory(drop_ins)
    yield template("nfs_client/retry.conf.j2", to=f"{drop_ins}/retry.conf", share=share)
    yield Mount(
        app.root,
        source=f"{share.private}:{app.root}",
        fstype="nfs4",
        options=(*OPTIONS, *cluster.share.options),
        automount=True,
    )
