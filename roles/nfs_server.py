"""nfs_server: one node shares the application's files with the others."""

from __future__ import annotations

from collections.abc import Iterator

from nodriza.role import (
    Backup,
    Cluster,
    Command,
    Directory,
    FileSystem,
    Mount,
    NfsExport,
    Node,
    Offer,
    Package,
    Resource,
    Service,
    Template,
    does,
    template,
    users,
)

# NFSv4 needs nothing else: no portmapper, no mountd.
OFFERS = (Offer("share", ("2049",), "the share (NFS)", "code, static files, uploads"),)


def BACKUPS(node: Node, cluster: Cluster) -> tuple[Backup, ...]:
    """What visitors sent. Releases and their environments can be made again."""
    return (Backup("share", paths=(cluster.app.media,)),)


def nfs_server(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """NFSv4 on the private address, to exactly the nodes that need it.

    While there are none, the share is a folder of this node and no server runs.
    """
    app, asking = cluster.app, users(cluster, "share")
    clients = [other.private for other in asking if other.name != node.name]
    if not clients:
        yield from _file_system(cluster)
        yield Directory(app.root)
        return
    # The package brings neither folder on every release; exports(5), nfs.conf(5).
    yield Directory("/etc/exports.d")
    yield Directory("/etc/nfs.conf.d")
    yield Package("nfs-kernel-server")
    # The portmapper comes along, and nfs-server.service wants it. NFSv4 has no use for it.
    yield Service("rpcbind.socket", masked=True)
    yield Service("rpcbind", masked=True)
    yield Service("rpc-statd", masked=True)  # locks of version 3; without the other it fails
    yield from _file_system(cluster)
    yield Directory(app.root)
    threads = _threads(cluster)
    conf = template("nfs_server/nfs.conf.j2", to="/etc/nfs.conf.d/nodriza.conf")
    at_boot = template(
        "nfs_server/threads.conf.j2", to="/etc/nfs.conf.d/threads.conf", threads=threads
    )
    # exports(5). A client's root can make up handles. Where the share is a folder of the
    # system's disk, only subtree_check keeps them from reaching all else on it.
    bounds = "no_subtree_check,mountpoint" if cluster.share.device else "subtree_check"
    exports = template(
        "nfs_server/app.exports.j2",
        to=f"/etc/exports.d/{app.name}.exports",
        clients=clients,
        bounds=bounds,
    )
    yield conf
    yield at_boot
    yield exports
    yield Service(
        "nfs-server",
        reload_on=(exports,),
        restart_on=(conf,),
        # exportfs(8) has no dry run, but it says what it can't read, and a bad line harms no
        # other. The reload itself would never fail: Debian's unit ignores its exit.
        check=("exportfs", "-r"),
    )
    # A cluster that grows must not stop its files for a moment, as a restart does (nfsd(7)).
    yield Command(
        "nfsd-threads",
        argv=("sh", "-c", f"echo {threads} >/proc/fs/nfsd/threads"),
        on_change=(at_boot,),
    )
    yield NfsExport(app.root, clients=tuple(clients))


def _file_system(cluster: Cluster) -> Iterator[Resource]:
    """Where the inventory gives the share a disk, or an image file, of its own."""
    share, root = cluster.share, cluster.app.root
    if not share.device:
        return
    yield Package("e2fsprogs")
    yield FileSystem(share.device, root, size_mb=share.size_mb or 0)
    # nosuid, nodev: what others can write gives nobody rights. nofail: a node whose disk is
    # gone boots, and can be reached; nfs-server then waits (nfs-server-generator(8) orders it
    # after the mount), and the export is off (mountpoint, exports(5)).
    options = ("nosuid", "nodev", "nofail", *(("loop",) if share.size_mb else ()))
    yield Mount(root, share.device, "ext4", options, automount=False)


def _threads(cluster: Cluster) -> int:
    # All workers of all children may wait for a file at once. 8 is the old default of
    # nfs.conf(5); above 64 the disk is the queue.
    workers = len(cluster.children) * cluster.app.most_workers * cluster.app.most_connections
    makers = sum(does(node, cluster, "tasks") for node in cluster.nodes)
    return min(64, max(8, workers + makers))
