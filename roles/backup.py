"""backup: what the other roles of this node want to survive is copied, and restored on trial."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any

from nodriza.role import (
    Cluster,
    Directory,
    File,
    Node,
    Package,
    Resource,
    Service,
    Template,
    backups,
    env,
    secret,
    template,
)

SHOWN = False
MODULES = ("__main__", "restore", "run", "store", "tell", "trial")


def backup(node: Node, cluster: Cluster) -> Iterator[Resource | Template]:
    """restic, with a timer for a backup and one for its trial; each tells when it fails."""
    yield Package("restic")
    if cluster.backup is None or not backups(node, cluster):
        return
    name, folder = f"{cluster.app.name}-backup", f"/usr/local/lib/{cluster.app.name}-backup"
    conf = configuration(node, cluster)
    keys = f"/etc/{name}"
    yield Directory(keys, mode="0700")
    yield File(f"{keys}/password", f"{secret('backup_password')}\n", mode="0600")
    hook = cluster.backup.notify.web or ""
    if named := re.fullmatch("secret:(.+)", hook):
        hook = env(secret(named[1]))
    yield template("backup/env.j2", to=f"{keys}/env", mode="0600", hook=hook)
    if cluster.backup.notify.user:
        yield File(f"{keys}/smtp_password", f"{secret('backup_smtp_password')}\n", mode="0600")
    if cluster.backup.remote == "sftp":
        yield Package("openssh-client")
        yield File(f"{keys}/ssh_key", f"{secret('backup_ssh_key')}\n", mode="0600")
        yield File(f"{keys}/known_hosts", f"backup {cluster.backup.host_key}\n")
    yield Directory(conf["state"], mode="0711")
    yield Directory(folder)
    yield File(f"{folder}/conf.json", json.dumps(conf, indent=1) + "\n")
    for module in MODULES:
        yield template(f"backup/{module}.py", to=f"{folder}/{module}.py")
    yield template(
        "backup/program.sh.j2",
        to=f"/usr/local/sbin/{name}",
        mode="0755",
        conf=conf,
        folder=folder,
    )
    if cluster.backup.of:
        return  # those of another cluster are restored here, and none is made
    units = "/etc/systemd/system"
    yield template(
        "backup/failed.service.j2",
        to=f"{units}/{name}-failed@.service",
        folder=folder,
        what="Tell that %i failed",
        words="failed %i",
    )
    yield from _overdue(name, units, folder)
    for word, unit, what, at in (
        ("run", name, "Back up", cluster.backup.at),
        ("verify", f"{name}-verify", "Restore on trial the backup of", cluster.backup.verify),
    ):
        service = template(
            "backup/backup.service.j2",
            to=f"{units}/{unit}.service",
            word=word,
            what=what,
            folder=folder,
        )
        timer = template("backup/backup.timer.j2", to=f"{units}/{unit}.timer", at=at, what=what)
        yield service
        yield timer
        yield Service(
            f"{unit}.timer",
            restart_on=(timer, service),
            check=("systemd-analyze", "calendar", at),
        )


def _overdue(name: str, units: str, folder: str) -> Iterator[Resource | Template]:
    """Nothing fails where a timer does not elapse, so somebody has to look."""
    service = template(
        "backup/failed.service.j2",
        to=f"{units}/{name}-overdue.service",
        folder=folder,
        what="Tell of a backup that is overdue",
        words="overdue",
    )
    timer = template("backup/overdue.timer.j2", to=f"{units}/{name}-overdue.timer")
    yield service
    yield timer
    yield Service(f"{name}-overdue.timer", restart_on=(timer, service))


def configuration(node: Node, cluster: Cluster) -> dict[str, Any]:
    """For the programs on the node; no secret is in it."""
    wanted, name = cluster.backup, f"{cluster.app.name}-backup"
    assert wanted is not None  # noqa: S101  who has no section has no backups
    to, sftp = wanted.to, ""
    if found := re.fullmatch(r"sftp:(.+?)@(.+?):(/.*)", to):
        user, host, _ = found.groups()
        sftp = (
            f"ssh -p {wanted.port} -i /etc/{name}/ssh_key -o IdentitiesOnly=yes -o BatchMode=yes"
            f" -o UserKnownHostsFile=/etc/{name}/known_hosts -o HostKeyAlias=backup"
            " -o StrictHostKeyChecking=yes -o GlobalKnownHostsFile=/dev/null"
            f" -o ConnectTimeout=20 -o ServerAliveInterval=20 {user}@{host} -s sftp"
        )
    having = [each for each in cluster.nodes if backups(each, cluster)]
    notify = wanted.notify
    mail = {
        "to": notify.mail,
        "sender": notify.sender or notify.mail,
        "smtp": notify.smtp,
        "port": notify.port,
        "user": notify.user,
        "password": f"/etc/{name}/smtp_password",
    }
    return {
        "app": cluster.app.name,
        "cluster": wanted.of or cluster.name,
        "read_only": wanted.of is not None,
        "node": node.name,
        # In a directory each node has one of its own.
        "maker": having[0].name if wanted.remote else node.name,
        "to": to,
        "sftp": sftp,
        "at": wanted.at,
        "verify": wanted.verify,
        "mail": mail if notify.mail else {},
        "keep": wanted.keep.model_dump(),
        "memory_mb": wanted.memory_mb,
        "upload_kb": wanted.upload_kb,
        "password": f"/etc/{name}/password",
        "env": f"/etc/{name}/env",
        "state": f"/var/lib/{name}",
        "cache": f"/var/cache/{name}",
        "lock": f"/run/{name}.lock",
        "releases": cluster.app.record,
        "parts": [dataclasses.asdict(each) for each in backups(node, cluster)],
    }
