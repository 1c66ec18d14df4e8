"""What the tools are given: the same hosts, keys, and files, each in its own words."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.cluster import HOME, VARIANTS, Bench
from nodriza.host.redact import Redactor
from nodriza.inventory import load_cluster
from nodriza.plan.plan import plan_all
from nodriza.resources import File
from nodriza.vault.store import Vault

if TYPE_CHECKING:
    from nodriza.plan.plan import Plan

Check = tuple[str, str, dict[str, Any]]
"""Noun, subject, wanted."""


def plans_of(name: str) -> list[Plan]:
    """The plans of an inventory's children, secrets as tokens."""
    cluster = load_cluster(HOME / f"inventories/{name}.yml")
    return plan_all(cluster, cluster.children)


def give(bench: Bench, name: str) -> None:
    """Write everybody's inventory, the rendered files of both variants, and the floor's plan."""
    for variant in VARIANTS:
        bench.choose(variant)
        plans = plans_of(name)
        _render(plans, values_of(name), HOME / "peers" / variant)
        plan_for_floor(name, variant)
    _ansible(name)
    _pyinfra(name)


def values_of(name: str) -> Redactor:
    """The secrets, the same in every inventory of these machines."""
    mine = HOME / f"inventories/{name}.secrets.age"
    shutil.copy(HOME / "inventories/all.secrets.age", mine)
    return Redactor(Vault(mine, HOME / "age.key").values())


def _render(plans: Sequence[Plan], redactor: Redactor, folder: Path) -> None:
    for plan in plans:
        shutil.rmtree(folder / plan.node, ignore_errors=True)
        for planned in plan.resources:
            if isinstance(planned.resource, File):
                path = folder / plan.node / planned.resource.path.lstrip("/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(redactor.reveal(planned.resource.data.decode()).encode())


def plan_for_floor(name: str, variant: str = "") -> Path:
    """What shall be on each child, and how to get there."""
    cluster = load_cluster(HOME / f"inventories/{name}.yml")
    secrets = values_of(name)
    hosts = []
    for plan in plans_of(name):
        node = cluster.node(plan.node)
        host = {"name": node.name, "address": node.ssh.host or node.private}
        found = checks(secrets.reveal(plan.to_data()))
        hosts.append({**host, "key": str(node.ssh.key), "checks": found})
    path = HOME / f"peers/{name}.{variant}.json"
    path.write_text(json.dumps({"known_hosts": str(cluster.ssh.known_hosts), "hosts": hosts}))
    return path


def _ansible(name: str) -> None:
    cluster = load_cluster(HOME / f"inventories/{name}.yml")
    common = (
        f"-F none -o UserKnownHostsFile={cluster.ssh.known_hosts}"
        " -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"
    )
    hosts = [
        f"{node.name} ansible_host={node.ssh.host or node.private}" for node in cluster.children
    ]
    lines = [
        "[children]",
        *hosts,
        "[children:vars]",
        "ansible_user=root",
        f"ansible_ssh_private_key_file={cluster.ssh.key}",
        f"ansible_ssh_common_args={common}",
    ]
    (HOME / f"peers/{name}.ini").write_text("\n".join(lines) + "\n")


def _pyinfra(name: str) -> None:
    cluster = load_cluster(HOME / f"inventories/{name}.yml")
    common = {
        "ssh_user": "root",
        "ssh_key": str(cluster.ssh.key),
        "ssh_known_hosts_file": str(cluster.ssh.known_hosts),
        "ssh_strict_host_key_checking": "yes",
        "ssh_allow_agent": False,
        "ssh_look_for_keys": False,
    }
    children = [
        (node.name, {"ssh_hostname": node.ssh.host or node.private}) for node in cluster.children
    ]
    (HOME / f"peers/{name}.py").write_text(f"children = ({children!r}, {common!r})\n")


def checks(resources: Sequence[dict[str, Any]]) -> list[Check]:
    """A plan's data as the floor is given it, without what nobody has to look at.

    ``Health`` is one stat(2) when nothing changes. A command that only follows a change asks
    nothing.
    """
    return [_WANTED[data["kind"]](data) for data in resources if _is_looked_at(data)]


def _is_looked_at(data: dict[str, Any]) -> bool:
    if data["kind"] == "Command":
        return bool(data["unless"] or data["creates"])
    return bool(data["kind"] != "Health")


def _place(kind: str, data: dict[str, Any]) -> Check:
    wanted = {"type": kind, **{key: data[key] for key in ("owner", "group", "mode")}}
    return kind, data["path"], wanted


def _file(data: dict[str, Any]) -> Check:
    noun, path, wanted = _place("file", data)
    content = data["content"].encode()
    return (
        noun,
        path,
        {**wanted, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()},
    )


_WANTED: dict[str, Callable[[dict[str, Any]], Check]] = {
    "Command": lambda d: (
        "command",
        d["name"],
        {"unless": list(d["unless"]) or ["test", "-e", d["creates"]]},
    ),
    "Directory": lambda d: _place("directory", d),
    "File": _file,
    "Group": lambda d: ("group", d["name"], {"gid": d["gid"]}),
    "Link": lambda d: ("link", d["path"], {"type": "link", "target": d["target"]}),
    "Mount": lambda d: (
        "mount",
        d["path"],
        {
            "source": d["source"],
            "fstype": d["fstype"],
            "options": ",".join([*d["options"], "x-systemd.automount"]),
            "mounted": True,
        },
    ),
    "Package": lambda d: ("package", d["name"], {"installed": True}),
    "Service": lambda d: (
        "service",
        d["unit"],
        {"enabled": d["enabled"], "running": d["running"]},
    ),
    # Without a number or a group of ours, the host chose it.
    "User": lambda d: (
        "user",
        d["name"],
        {key: d[key] for key in ("uid", "group", "shell") if d[key] not in (None, "")},
    ),
}
