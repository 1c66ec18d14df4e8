"""base: what every node has, whatever it serves."""

from __future__ import annotations

from collections.abc import Iterator

from nodriza.inventory import Cluster, Node
from nodriza.render import Template, template
from nodriza.resources import Command, Directory, File, Group, Link, Package, Resource, User


def base(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """Its name and its neighbours' names, the time, security upgrades, the application's user.

    Variable ``timezone``: UTC unless told otherwise, so that the logs of all nodes compare.
    """
    app = cluster.app
    zone = node.variables.get("timezone", "Etc/UTC")
    # Before tzdata is configured, which would choose a zone of its own.
    yield Link("/etc/localtime", f"/usr/share/zoneinfo/{zone}")
    yield Package("tzdata")
    yield Package("ca-certificates")
    # Off in containers, by a condition in its unit: they have the clock of their host.
    yield Package("systemd-timesyncd")
    yield Package("unattended-upgrades")
    yield template("base/52nodriza.j2", to="/etc/apt/apt.conf.d/52nodriza")

    yield File("/etc/hostname", f"{node.name}\n")
    # The file is read at boot; this is for now.
    yield Command(
        "hostname",
        argv=("hostname", node.name),
        unless=("grep", "-qx", node.name, "/proc/sys/kernel/hostname"),
    )
    # Everybody talks to the central node. That a cluster grows changes nothing on the
    # children it has.
    known = cluster.nodes if node.kind == "central" else (cluster.central, node)
    yield template("base/hosts.j2", to="/etc/hosts", known=known)

    # The same number everywhere: files on the share belong to numbers, not to names.
    yield Group(app.user, gid=app.uid)
    yield User(app.user, uid=app.uid, group=app.user)
    yield Directory(f"/etc/{app.name}", group=app.user, mode="0750")
