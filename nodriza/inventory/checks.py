"""What no single key can show: how the parts of an inventory fit together."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from nodriza.inventory.application import check_application
from nodriza.inventory.blocked import check_blocked
from nodriza.inventory.disk import is_there, near_path
from nodriza.inventory.kinds import KINDS, ONE
from nodriza.inventory.names import is_node_name
from nodriza.inventory.processes import check_processes
from nodriza.inventory.roles import DEFAULT, ONCE, known_roles, merged_roles
from nodriza.inventory.sections.kinds import KindSettings, Roles
from nodriza.inventory.sections.networks import Networks
from nodriza.inventory.sections.nodes import NodeSettings
from nodriza.inventory.sections.services import Services
from nodriza.inventory.sections.ssh import Ssh
from nodriza.inventory.targets import GROUPS
from nodriza.inventory.text import absolute
from nodriza.inventory.variables import check_variables
from nodriza.inventory.visitors import check_visitors
from nodriza.inventory.yaml import positions as marks
from nodriza.inventory.yaml.partial import Draft, Written
from nodriza.wording import did_you_mean


def check_together(draft: Draft, inventory: Path, *, connects: bool = False) -> None:
    """Add everything that does not fit together to the document's problems.

    ``connects``: also what this computer lacks for a way to the hosts.
    """
    _check_names(draft)
    _check_centrals(draft)
    _check_addresses(draft)
    _check_gateways(draft)
    _check_roles(draft, inventory)
    _check_once(draft)
    check_variables(draft, inventory)
    check_application(draft, inventory)
    check_processes(draft)
    check_visitors(draft)
    check_blocked(draft)
    for section in filter(None, draft.parts.values()):
        section.check_with(draft, inventory)
    if connects and not draft.lab:  # whose machines have a key of the lab's
        _check_keys(draft, inventory)


def _check_names(draft: Draft) -> None:
    document = draft.document
    seen: dict[str, Written] = {}
    for node in filter(lambda node: node.name, draft.nodes):
        why = topic = is_node_name(node.name)
        if not why and node.name in GROUPS:
            why = f'"{node.name}" is a word for a group of nodes on the command line'
        if not why and node.name in seen:
            other = seen[node.name]
            line = document.mark(other.path, key=True).line
            why = f'"{node.name}" is already made by "{other.key}" in line {line}'
            topic = other.key  # once for each range that this one overlaps
        if why:
            document.complain(node.path, node.named(why), key=True, topic=f"name {topic}")
        seen.setdefault(node.name, node)


def _check_centrals(draft: Draft) -> None:
    document, kinds = draft.document, " or ".join(ONE)
    centrals = [node for node in draft.nodes if node.kind in ONE]
    for node in centrals[1:]:
        first = centrals[0]
        line = document.mark(first.path, key=True).line
        message = f"there can be one {kinds} node only, and {first.called} in line {line} is one"
        document.complain((*node.path, "kind"), node.named(message), topic="one")
    if (
        draft.listed
        and not centrals
        and not any(_may_be_central(node.kind) for node in draft.nodes)
    ):
        document.complain(("nodes",), f"no node is the central one (kind: {kinds})", key=True)


def _may_be_central(kind: Any) -> bool:
    """Whether a kind that is none is a slip of the finger for the central one, or anything."""
    near = [kind] if kind in list(KINDS) else difflib.get_close_matches(str(kind), KINDS, n=1)
    return not near or near[0] in ONE


def _check_addresses(draft: Draft) -> None:
    document = draft.document
    seen: dict[str, tuple[Written, marks.Path]] = {}
    for node in draft.nodes:
        if not node.settings:
            continue
        for field in ("private", "public"):
            address: str | None = getattr(node.settings, field)
            if address is None:
                continue
            path = (*node.path, field)
            why = _misplaced(draft, field, address)
            topic = why.replace(address, "")
            if not why and address in seen:
                other, place = seen[address]
                line = document.mark(place).line
                why = f"{address} is already the address of {other.called} in line {line}"
                topic = f"{place}"
            if why:
                document.complain(path, node.named(why), topic=f"address {topic}")
            seen.setdefault(address, (node, path))


def _misplaced(draft: Draft, field: str, address: str) -> str:
    """Why a node can't have this address in that network; nothing if it can."""
    networks = draft.part(Networks)
    if not networks:
        return ""
    written = getattr(networks, field)
    if written is None and ("networks", field) in draft.document.values:
        return ""  # it is there, but wrong
    if written is None:
        return f"the cluster has no {field} network: add networks/{field}, or leave this out"
    network, number = _network(written), IPv4Address(address)
    if number not in network:
        return f"{address} is not in the {field} network {written}"
    if number == network.network_address:
        return f"{address} is the {field} network itself, not a host in it"
    if number == network.broadcast_address:
        return f"{address} is the broadcast address of the {field} network"
    if draft.lab and number == network.network_address + 1:
        return f"{address} is this machine's own address in the lab's {field} network"
    return ""


def _levels(draft: Draft) -> Iterator[tuple[marks.Path, Ssh | None, Roles]]:
    """Path, ssh and roles of the cluster, of its kinds, and of its nodes."""
    if draft.everywhere:
        yield (), draft.everywhere.ssh, draft.everywhere.roles
    for name, kind in draft.kinds.items():
        yield ("kinds", name), kind.ssh, kind.roles
    for node in draft.nodes:
        if node.settings:
            yield node.path, node.settings.ssh, node.settings.roles


def _check_roles(draft: Draft, inventory: Path) -> None:
    known = known_roles(inventory)
    for path, _, roles in _levels(draft):
        for index, role in enumerate(roles or ()):
            if role != DEFAULT and role not in known:
                near = did_you_mean(role, known) or f"; there are {', '.join(known)}"
                draft.document.complain(
                    (*path, "roles", index), f'there is no role "{role}"{near}', topic="role"
                )


def _check_once(draft: Draft) -> None:
    """Celery has one clock, or each task is sent twice."""
    at: dict[str, tuple[marks.Path, str]] = {}
    central = next((node.name for node in draft.nodes if node.kind in ONE), "")
    for role in ONCE:
        service = getattr(draft.part(Services), role, None)
        if service:
            at[role] = (("services", role), service.on or central)
    for node in draft.nodes:
        levels = (
            (("roles",), draft.everywhere.roles if draft.everywhere else None),
            (("kinds", str(node.kind), "roles"), _roles(draft.kinds.get(str(node.kind)))),
            ((*node.path, "roles"), _roles(node.settings)),
        )
        merged = merged_roles((), *(roles for _, roles in levels))
        for role in {*ONCE}.intersection(merged):
            path = next(path for path, roles in reversed(levels) if role in (roles or ()))
            first, where = at.setdefault(role, (path, node.name))
            if where != node.name:
                line = draft.document.mark(first).line
                words = f"there may be one {role} in a cluster, and line {line} has it already"
                draft.document.complain(path, node.named(words), topic=role)


def _roles(level: KindSettings | NodeSettings | None) -> Roles:
    return level.roles if level else None


def _check_keys(draft: Draft, inventory: Path) -> None:
    for path, ssh, _ in _levels(draft):
        key = absolute(ssh.key, inventory.parent) if ssh and ssh.key else None
        if key and not is_there(key.is_file):
            message = f'there is no file "{ssh.key}"{near_path(key, Path.is_file)}'  # type: ignore[union-attr]
            draft.document.complain((*path, "ssh", "key"), message, topic="key")


def _check_gateways(draft: Draft) -> None:
    names = {node.name for node in draft.nodes if node.name}
    for path, ssh, _ in _levels(draft):
        gateway = ssh.gateway if ssh else None
        if gateway and not set("@.:") & set(gateway) and gateway not in names:
            near = did_you_mean(gateway, names)
            draft.document.complain(
                (*path, "ssh", "gateway"),
                f'no node is called "{gateway}"{near or "."}'
                " Another host is written with its user, as admin@bastion",
                topic="gateway",
            )
    through = {node.name: _gateway_of(draft, node) for node in draft.nodes if node.name}
    for node in draft.nodes:
        if _circular(node.name, through):
            draft.document.complain(
                (*node.path, "ssh", "gateway"),
                node.named("the way in through this gateway leads back to the node itself"),
                topic="gateway",
            )


def _gateway_of(draft: Draft, node: Written) -> str | None:
    own = node.settings.ssh if node.settings else Ssh()
    if "gateway" in own.model_fields_set:
        return own.gateway
    for level in (draft.kinds.get(str(node.kind)), draft.everywhere):
        if level and "gateway" in level.ssh.model_fields_set:
            # What all nodes go through is reached directly itself.
            return None if level.ssh.gateway == node.name else level.ssh.gateway
    return None


def _circular(name: str, through: dict[str, str | None]) -> bool:
    seen = set()
    at = through.get(name)
    while at is not None and at not in seen:
        if at == name:
            return True
        seen.add(at)
        at = through.get(at)
    return False


_NETWORKS: dict[str, IPv4Network] = {}


def _network(written: str) -> IPv4Network:
    if written not in _NETWORKS:
        _NETWORKS[written] = IPv4Network(written)
    return _NETWORKS[written]
