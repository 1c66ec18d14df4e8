"""What an inventory says, and the cluster it describes.

``ClusterSettings`` is the YAML as people write it, each section in a module of ``sections``;
``Cluster`` and ``Node`` are what the rest of the project reads: merged, expanded, with nothing
left open. ``inventories/production.example.yml`` shows every key.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from nodriza.inventory import text
from nodriza.inventory.app import App
from nodriza.inventory.base import Model
from nodriza.inventory.kinds import KINDS, Kind
from nodriza.inventory.sections.app import AppSettings
from nodriza.inventory.sections.backup import Backup
from nodriza.inventory.sections.dns import Dns
from nodriza.inventory.sections.kinds import Kinds, Roles, Variables
from nodriza.inventory.sections.lab import Driver, LabConfig
from nodriza.inventory.sections.limits import Limits
from nodriza.inventory.sections.maintenance import Maintenance
from nodriza.inventory.sections.networks import Networks
from nodriza.inventory.sections.nodes import NodeSettings
from nodriza.inventory.sections.rollout import Rollout
from nodriza.inventory.sections.services import Services
from nodriza.inventory.sections.share import Engine, Share
from nodriza.inventory.sections.site import SiteNames
from nodriza.inventory.sections.ssh import LogIn, Ssh
from nodriza.inventory.sections.tls import TlsSettings
from nodriza.inventory.services import Placed
from nodriza.inventory.tls import Tls
from nodriza.vault.token import OTHER, Secret


class Sections(SiteNames):
    """The sections that reach the roles as they are written."""

    proxies: Annotated[tuple[text.Proxy, ...], text.Items] = Field(
        default=(),
        description=(
            "Your own load balancers and proxies, by address or network. nginx accepts a visitor's"
            " address and protocol from them only."
        ),
    )
    protected: bool = Field(
        default=False,
        description=(
            "Commands that would change this cluster ask for its name first, or want --yes NAME."
        ),
    )
    blocked: Annotated[tuple[text.Proxy, ...], text.Items] = Field(
        default=(),
        description=(
            "Addresses or networks that no node takes anything from; `fab block` writes them here."
        ),
    )
    operators: Annotated[tuple[text.Proxy, ...], text.Items] = Field(
        default=(),
        description=(
            "Your own addresses or networks. They see the site during `fab maintenance`, and"
            " basic_auth asks them for no password."
        ),
    )
    maintenance: Maintenance = Field(
        default=Maintenance(), description="What visitors get during `fab maintenance`."
    )
    basic_auth: text.SecretName | None = Field(
        default=None,
        description=(
            "Asks every visitor for a name and a password, such as for staging. The name of the"
            " secret with the lines of htpasswd."
        ),
    )
    limits: Limits = Field(
        default=Limits(),
        description="What one address may use at one child at the same time.",
    )
    networks: Networks = Field(
        description="Where nodes talk to each other, and where users come in."
    )
    share: Share = Field(
        default=Share(), description="The network file system for code, static files and media."
    )
    rollout: Rollout = Field(default=Rollout(), description="How many children change at a time.")
    dns: Dns = Field(default=Dns(), description="Settings of the role dns.")
    backup: Backup | None = Field(
        default=None, description="If present, the data are backed up. See docs/backup.rst."
    )
    lab: LabConfig | None = Field(
        default=None,
        description="If present, `fab lab.up` may make this cluster on your computer.",
    )


class ClusterSettings(Sections):
    """The whole file as written; the keys of ``nodes`` may be ranges."""

    cluster: text.ClusterName = Field(description="The cluster's name.")
    app: AppSettings = Field(description="The Django application.")
    services: Services = Field(
        default=Services(), description="Which program does a job, and on which node."
    )
    tls: TlsSettings = Field(default=TlsSettings(), description="How the children speak HTTPS.")
    ssh: LogIn = Ssh()
    variables: Variables = Field(default={})
    roles: Roles = None
    kinds: Kinds = Field(default=Kinds(), description="Settings for all nodes of one kind.")
    nodes: dict[str, NodeSettings] = Field(
        description=(
            "The nodes by name, which becomes the hostname. server-[2:50] means 49 nodes; every"
            " text of such a node may have ranges of the same length."
        )
    )


class LabOverlay(BaseModel):
    """What ``fab lab.up`` found out and made; written by the lab, read with the inventory."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    driver: Driver
    netns: str
    """The network namespace that the machines are in; empty: the controller's own."""
    share_engine: Engine | None = None
    """What the machines can do, where that is not what the inventory says."""
    share_reason: str = ""
    patience: int = 10
    """Seconds for a connection and each step of a log-in: emulated machines are slow."""
    logins: dict[str, Ssh]
    """How to log in on each of its machines."""


class Node(Model):
    """One host, with everything it gets from its kind and its cluster merged in.

    ``number`` is the digits at the end of the name, else the place among its kind.
    """

    name: str
    kind: Kind
    number: int
    private: str
    public: str | None
    memory_mb: int
    cpus: int
    ssh: Ssh
    variables: dict[str, Any]
    roles: tuple[str, ...]
    processes: tuple[str, ...] = ()
    """Those of ``app.processes`` that run there."""
    builds: bool = False
    """Whether releases are made there: where the share is."""

    @property
    def serves(self) -> bool:
        """Whether it has visitors."""
        return KINDS[self.kind].serves

    @property
    def address(self) -> str:
        """Where the other nodes reach it."""
        return self.private

    @property
    def zone(self) -> tuple[str, ...]:
        """What a service follows that knows the time zone from its start only."""
        return ("link:/etc/localtime",) if "base" in self.roles else ()

    @property
    def web_address(self) -> str:
        """Where a child serves its users."""
        return self.public or self.private


class Cluster(Sections):
    """A whole cluster; nodes are in the order of the inventory."""

    name: str
    app: App
    services: dict[str, Placed]
    """By name, in the order of ``nodriza.inventory.services``; those that there are."""
    tls: Tls = Tls()
    ssh: Ssh
    variables: dict[str, Any]
    nodes: tuple[Node, ...]
    path: Path
    lab_overlay: LabOverlay | None = None
    rotating: frozenset[str] = frozenset()

    @cached_property
    def _by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    @cached_property
    def _by_kind(self) -> dict[str, tuple[Node, ...]]:
        kinds: dict[str, list[Node]] = {}
        for node in self.nodes:
            kinds.setdefault(node.kind, []).append(node)
        return {kind: tuple(nodes) for kind, nodes in kinds.items()}

    @cached_property
    def builder(self) -> Node:
        """The node that makes releases, keeps them, and knows which one served when."""
        return next(node for node in self.nodes if node.builds)

    @cached_property
    def _serving(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.serves)

    def node(self, name: str) -> Node:
        """The node of that name; ``KeyError`` if there is none."""
        return self._by_name[name]

    def nodes_of(self, kind: str) -> tuple[Node, ...]:
        """All nodes of a kind."""
        return self._by_kind.get(kind, ())

    def services_on(self, node: Node, engine: str) -> tuple[str, ...]:
        """The services that a node does with this engine, as the inventory places them."""
        return tuple(
            name
            for name, placed in self.services.items()
            if placed.on == node.name and placed.engine == engine
        )

    def nodes_doing(self, service: str) -> tuple[Node, ...]:
        """The nodes that do a service; those with the role of its engine, if it was given by
        hand."""
        placed = self.services.get(service)
        if placed is None:
            return ()
        roles = {placed.engine, f"{placed.engine}_server"}
        doing = tuple(node for node in self.nodes if roles.intersection(node.roles))
        return tuple(node for node in doing if node.name == placed.on) or doing

    @property
    def names(self) -> tuple[str, ...]:
        """What visitors may call the site: its domain first, then the names that lead to it."""
        return (self.domain, *self.aliases)

    @property
    def children(self) -> tuple[Node, ...]:
        """The nodes that serve users."""
        return self._serving

    def accepted(self, name: str) -> tuple[Secret, ...]:
        """The values of a secret that a server takes: the one in use comes first.

        Two while it is being rotated (``nodriza.change.rotation``), else one.
        """
        both = (Secret(name), Secret(name + OTHER))
        return both if name in self.rotating else both[:1]

    @property
    def private_addresses(self) -> tuple[str, ...]:
        """Every node's private address: who may talk to MySQL, Redis and the share."""
        return tuple(node.private for node in self.nodes)
