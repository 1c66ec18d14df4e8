"""glusterfs_server: the share where the kernel has no NFS."""

from __future__ import annotations

from collections.abc import Iterator

from nodriza.role import (
    Backup,
    Cluster,
    Directory,
    GlusterVolume,
    Mount,
    Node,
    Offer,
    Package,
    Resource,
    Service,
    Template,
    template,
)

# glusterd, and the bricks (glusterd.vol).
PORTS = ("24007", "49152-49251")
OFFERS = (Offer("share", PORTS, "the share (GlusterFS)", "code, static files, uploads"),)
NEEDS = ("share",)
"""It mounts the volume as all others do."""


def BACKUPS(node: Node, cluster: Cluster) -> tuple[Backup, ...]:
    """What visitors sent. Releases and their environments can be made again."""
    return (Backup("share", paths=(cluster.app.media,)),)


def glusterfs_server(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """A volume of one brick, for the addresses of the inventory, mounted here as well."""
    app = cluster.app
    drop_ins = "/etc/systemd/system/glusterd.service.d"
    yield Package("glusterfs-server")
    yield Package("glusterfs-client")
    yield Directory(drop_ins)
    unit = template("glusterfs_server/glusterd.conf.j2", to=f"{drop_ins}/nodriza.conf")
    conf = template("glusterfs_server/glusterd.vol.j2", to="/etc/glusterfs/glusterd.vol")
    yield unit
    yield conf
    yield Service("glusterd", restart_on=(conf, unit))

    yield Directory("/srv/.brick", mode="0700")
    yield Directory(f"/srv/.brick/{app.name}")
    yield GlusterVolume(
        app.name,
        brick=f"{node.private}:/srv/.brick/{app.name}",
        allow=cluster.private_addresses,
    )
    # Nobody may write to a brick behind its volume's back, this node neither.
    mount_drop_ins = f"/etc/systemd/system/srv-{app.name}.mount.d"
    yield Directory(mount_drop_ins)
    yield template("glusterfs_server/mount.conf.j2", to=f"{mount_drop_ins}/retry.conf")
    yield Mount(
        app.root,
        source=f"{node.private}:/{app.name}",
        fstype="glusterfs",
        # "after" and not "requires": a restart of glusterd must not unmount anything.
        options=("_netdev", "nofail", "nosuid", "nodev", "x-systemd.after=glusterd.service"),
        automount=True,
    )
