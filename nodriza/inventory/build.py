"""A cluster out of settings that are known to be right: merged, with nothing left open."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nodriza.inventory import processes
from nodriza.inventory.app import App
from nodriza.inventory.kinds import KINDS, ONE
from nodriza.inventory.model import Cluster, ClusterSettings, LabOverlay, Node, Sections
from nodriza.inventory.roles import BESIDE, default_roles, merged_roles
from nodriza.inventory.sections.app import Placement
from nodriza.inventory.sections.kinds import KindSettings
from nodriza.inventory.sections.nodes import NodeSettings
from nodriza.inventory.sections.services import Service
from nodriza.inventory.sections.share import Share
from nodriza.inventory.sections.ssh import Ssh
from nodriza.inventory.services import ENGINES, SERVICES, Placed, engines, on_each
from nodriza.inventory.text import absolute
from nodriza.inventory.tls import Tls
from nodriza.inventory.yaml.partial import Written


def build(
    settings: ClusterSettings,
    written: Iterable[Written],
    overlay: LabOverlay | None,
    path: Path,
) -> Cluster:
    """The whole cluster. Relative paths begin at the inventory's folder."""
    base = path.resolve().parent
    share = settings.share
    if overlay and overlay.share_engine:
        share = share.model_copy(update={"engine": overlay.share_engine})
    nodes = [node for node in written if node.settings]
    services = _services(settings, share, nodes)
    placed = processes.placed(settings.app.processes, [(node.name, node.kind) for node in nodes])
    merge = _Merge(settings, services, base, overlay, placed)
    source = absolute(settings.app.source, base).resolve()
    return Cluster(
        name=settings.cluster,
        **{
            **{key: getattr(settings, key) for key in Sections.model_fields},
            "share": share,
        },
        app=App(
            **{**settings.app.model_dump(), "releases": _placement(settings, share)},
            source_path=source,
        ),
        tls=_tls(settings, base),
        ssh=merge.ssh(settings.ssh),
        variables=settings.variables,
        services=services,
        nodes=tuple(merge.node(node.name, node.settings) for node in nodes if node.settings),
        path=path.resolve(),
        lab_overlay=overlay,
    )


def _services(
    settings: ClusterSettings, share: Share, nodes: Iterable[Written]
) -> dict[str, Placed]:
    """Each with its engine and its node; what is not placed is on the central one."""
    central = next(node.name for node in nodes if node.kind in ONE)
    found = {}
    for name, about in SERVICES.items():
        said: Service | None = getattr(settings.services, name)
        if said is None:
            continue
        usual = (settings.app.asgi and about.asgi) or about.engine
        engine = said.engine or usual or {"share": share.engine, **ENGINES}[name]
        on = "" if about.everywhere else said.on or central
        keys = tuple(sorted(said.model_fields_set))
        found[name] = Placed(engine=engine, on=on, memory_mb=said.memory_mb, said=keys)
    return found


def _placement(settings: ClusterSettings, share: Share) -> Placement:
    """With GlusterFS root on any node could change what all the others run."""
    if share.engine == "glusterfs":
        return "local"
    return settings.app.releases or "share"


def _tls(settings: ClusterSettings, base: Path) -> Tls:
    fields = settings.tls.model_dump()
    for name in ("certificate", "ca"):
        if fields[name]:
            fields[name] = absolute(fields[name], base)
    return Tls(**fields)


class _Merge:
    """Cluster, kind and node in one: the nearer to the node, the stronger."""

    def __init__(
        self,
        settings: ClusterSettings,
        services: dict[str, Placed],
        base: Path,
        overlay: LabOverlay | None,
        placed: Mapping[str, tuple[str, ...]],
    ) -> None:
        self.settings = settings
        self.share = services["share"].on
        self.services = on_each(services)
        self.engines = engines(services)
        self.base = base
        self.overlay = overlay
        self.processes = placed
        self.count: Counter[str] = Counter()
        self.logins: dict[str, Ssh] = {}
        self.defaults: dict[tuple[str, tuple[str, ...], bool], tuple[str, ...]] = {}
        """By kind, services and whether there are processes: most nodes are alike."""

    def node(self, name: str, node: NodeSettings) -> Node:
        """One node; the nodes of a kind are counted in the order they come."""
        kind: KindSettings = getattr(self.settings.kinds, node.kind)
        self.count[node.kind] += 1
        digits = re.search(r"[0-9]+$", name)
        variables = {**KINDS[node.kind].variables, **self.settings.variables}
        services = self.services.get(name, ())
        key = node.kind, services, name in self.processes
        defaults = self.defaults.get(key)
        if defaults is None:
            tls, backup = self.settings.tls.mode, self.settings.backup is not None
            more = BESIDE if name in self.processes else ()
            defaults = default_roles(
                node.kind, self.engines, services, tls, backup=backup, more=more
            )
            self.defaults[key] = defaults
        return Node(
            name=name,
            kind=node.kind,
            number=int(digits.group()) if digits else self.count[node.kind],
            private=node.private,
            public=node.public,
            memory_mb=node.memory_mb,
            cpus=node.cpus,
            ssh=self.login(name, node, kind),
            variables={**variables, **kind.variables, **node.variables},
            roles=merged_roles(defaults, self.settings.roles, kind.roles, node.roles),
            processes=self.processes.get(name, ()),
            builds=name == self.share,
        )

    def login(self, name: str, node: NodeSettings, kind: KindSettings) -> Ssh:
        """How to log in; the gateway of all nodes is reached without itself.

        On a machine of a lab that is up: as the lab says, whatever is written.
        """
        if node.kind not in self.logins:
            self.logins[node.kind] = self.ssh(self.settings.ssh, kind.ssh)
        login = self.logins[node.kind]
        if node.ssh.model_fields_set:
            login = self.ssh(self.settings.ssh, kind.ssh, node.ssh)
        if self.overlay and name in self.overlay.logins:
            return self.overlay.logins[name]
        if login.gateway != name:
            return login
        # As if nothing was said, and not as null: ssh_config may know a way.
        return Ssh(**{key: getattr(login, key) for key in login.model_fields_set - {"gateway"}})

    def ssh(self, *levels: Ssh) -> Ssh:
        """The last level wins, key by key. Paths become absolute."""
        fields: dict[str, Any] = {}
        for level in levels:
            fields.update({name: getattr(level, name) for name in level.model_fields_set})
        for name in ("key", "known_hosts"):
            if fields.get(name):
                fields[name] = absolute(fields[name], self.base)
        return Ssh(**fields)
