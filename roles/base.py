"""base: what every node has, whatever it serves."""

from __future__ import annotations

from collections.abc import Iterator

from nodriza.role import (
    Cluster,
    Command,
    Directory,
    File,
    Group,
    Link,
    Node,
    Package,
    Resource,
    Service,
    Template,
    User,
    neighbours,
    template,
)

SHOWN = False


def base(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """Its name and its neighbours' names, the time, logs that end, security upgrades, the
    application's user.

    Variable ``timezone``: UTC unless told otherwise, so that the logs of all nodes compare.
    """
    app = cluster.app
    yield from _time(node)
    yield Package("ca-certificates")
    yield Package("unattended-upgrades")
    yield template("base/52nodriza.j2", to="/etc/apt/apt.conf.d/52nodriza")
    yield from _logs()
    yield from _cloud_init()

    yield File("/etc/hostname", f"{node.name}\n")
    # The file is read at boot; this is for now.
    yield Command(
        "hostname",
        argv=("hostname", node.name),
        unless=("grep", "-qx", node.name, "/proc/sys/kernel/hostname"),
    )
    # Whom it asks for something. That a cluster grows changes nothing on the children it has.
    known = cluster.nodes if node.builds else (*neighbours(node, cluster), node)
    yield template("base/hosts.j2", to="/etc/hosts", known=known)

    # The same number everywhere: files on the share belong to numbers, not to names.
    yield Group(app.user, gid=app.uid)
    yield User(app.user, uid=app.uid, group=app.user)
    yield Directory(f"/etc/{app.name}", group=app.user, mode="0750")


def _time(node: Node) -> Iterator[Resource]:
    zone = node.variables.get("timezone", "Etc/UTC")
    # Both before tzdata is configured: it would choose a zone of its own, and each later
    # version of it makes the link anew by what Debian 12 has in the file.
    link = Link("/etc/localtime", f"/usr/share/zoneinfo/{zone}")
    yield link
    yield File("/etc/timezone", f"{zone}\n")
    yield Package("tzdata")
    clock = Package("systemd-timesyncd")
    yield clock
    # Packages start nothing here, and this one would wait for the next boot. Its unit has a
    # condition: in containers, which have the clock of their host, it stays off.
    yield Command(
        "clock", argv=("systemctl", "start", "systemd-timesyncd.service"), on_change=(clock,)
    )
    # Not ours, and there on some hosts. They know the zone from their start (cron(8)).
    again = "for unit in cron rsyslog; do systemctl try-restart $unit 2>/dev/null || :; done"
    yield Command("others-in-the-zone", argv=("sh", "-c", again), on_change=(link,))


def _logs() -> Iterator[Resource | Template]:
    # A minimal Debian has none, and then no file in /var/log ever ends. Each package brings
    # its own rules (/etc/logrotate.d).
    yield Package("logrotate")
    yield Service("logrotate.timer", stays=True)
    yield Directory("/etc/systemd/journald.conf.d")
    conf = template("base/journald.conf.j2", to="/etc/systemd/journald.conf.d/nodriza.conf")
    yield conf
    yield Service("systemd-journald", restart_on=(conf,), stays=True)


def _cloud_init() -> Iterator[Resource | Template]:
    # Read by cloud-init alone, where a provider's image has it or somebody installs it later.
    folder, drop_ins = "/etc/cloud/cloud.cfg.d", "/etc/systemd/system/cloud-.service.d"
    yield Directory("/etc/cloud")
    yield Directory(folder)
    yield Directory(drop_ins)
    conf = template("base/cloud-init.cfg.j2", to=f"{folder}/99-nodriza.cfg")
    yield conf
    yield template("base/cloud-init.conf.j2", to=f"{drop_ins}/nodriza.conf", conf=conf.path)
