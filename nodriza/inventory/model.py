"""What an inventory says, and the cluster it describes.

The ``…Settings`` classes are the YAML as people write it; ``Cluster`` and ``Node``
are what the rest of the project reads: merged, expanded, with nothing left open.
``inventories/production.example.yml`` documents every key.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from nodriza.inventory import text
from nodriza.inventory.app import App, AppSettings
from nodriza.inventory.base import Model, whole
from nodriza.inventory.kinds import KINDS, ONE, Kind
from nodriza.inventory.site import Limits, SiteNames
from nodriza.inventory.tls import Tls, TlsSettings
from nodriza.secret import OTHER, Secret

Engine = Literal["nfs", "glusterfs"]
Driver = Literal["nspawn", "vagrant"]
Debian = Literal["bookworm", "trixie"]
Acceleration = Literal["kvm", "emulated"]
Variables = dict[text.VariableName, Any]
Roles = Annotated[tuple[text.RoleName, ...], text.Items]


class Networks(Model):
    """Where nodes talk to each other, and where users come in."""

    private: text.Network
    public: text.Network | None = None


class Share(Model):
    """The network file system between the nodes."""

    engine: Engine = "nfs"
    device: text.DevicePath | None = None
    size_mb: Annotated[int, whole(64, 1_000_000_000)] | None = None
    options: Annotated[tuple[text.MountOption, ...], text.Items] = ()


class Rollout(Model):
    """How children that serve are changed."""

    serial: text.Serial = "1"
    max_failures: Annotated[int, whole(0, 10_000)] = 0
    pause: Annotated[int, whole(0, 600)] = 0


class Dns(Model):
    """What the role dns says of the site's name."""

    ttl: Annotated[int, whole(5, 86_400)] = 60
    email: text.Email | None = None


class Ssh(Model):
    """How to log in. ``host``: where to connect to, if not the private address."""

    user: text.UnixUser = "root"
    port: Annotated[int, whole(1, 65535)] = 22
    key: text.LocalPath | None = None
    gateway: text.Gateway | None = None
    known_hosts: text.LocalPath | None = None
    host: text.HostName | None = None


class KindSettings(Model):
    """What every node of one kind gets, unless the node says otherwise."""

    ssh: Ssh = Ssh()
    variables: Variables = Field(default={})
    roles: Roles | None = None


class Kinds(Model):
    """Settings for each kind of node."""

    central: KindSettings = KindSettings()
    child: KindSettings = KindSettings()
    video: KindSettings = KindSettings()


class NodeSettings(Model):
    """One node as written, its ranges already expanded."""

    kind: Kind
    private: text.Address
    public: text.Address | None = None
    memory_mb: Annotated[int, whole(128, 16_777_216)] = 1024
    cpus: Annotated[int, whole(1, 1024)] = 1
    ssh: Ssh = Ssh()
    variables: Variables = Field(default={})
    roles: Roles | None = None


class LabConfig(Model):
    """That this cluster may be made on the developer's own machine, and how."""

    release: Debian = "bookworm"
    releases: dict[str, Debian] = Field(default={})
    driver: Driver = "nspawn"
    box: text.BoxName | None = None
    acceleration: Acceleration | None = None


class ClusterSettings(SiteNames):
    """The whole file as written; the keys of ``nodes`` may be ranges."""

    cluster: text.ClusterName
    proxies: Annotated[tuple[text.Proxy, ...], text.Items] = ()
    limits: Limits = Limits()
    networks: Networks
    app: AppSettings
    share: Share = Share()
    tls: TlsSettings = TlsSettings()
    rollout: Rollout = Rollout()
    dns: Dns = Dns()
    ssh: Ssh = Ssh()
    variables: Variables = Field(default={})
    roles: Roles | None = None
    kinds: Kinds = Kinds()
    nodes: dict[str, NodeSettings]
    lab: LabConfig | None = None


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

    @property
    def serves(self) -> bool:
        """Whether it has visitors."""
        return KINDS[self.kind].serves

    @property
    def builds(self) -> bool:
        """Whether releases are made there."""
        return KINDS[self.kind].builds

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


class Cluster(Model):
    """A whole cluster; nodes are in the order of the inventory."""

    name: str
    domain: str
    aliases: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    limits: Limits = Limits()
    networks: Networks
    app: App
    share: Share
    tls: Tls = Tls()
    rollout: Rollout = Rollout()
    dns: Dns = Dns()
    ssh: Ssh
    variables: dict[str, Any]
    nodes: tuple[Node, ...]
    path: Path
    lab: LabConfig | None = None
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
    def _serving(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.serves)

    def node(self, name: str) -> Node:
        """The node of that name; ``KeyError`` if there is none."""
        return self._by_name[name]

    def nodes_of(self, kind: str) -> tuple[Node, ...]:
        """All nodes of a kind."""
        return self._by_kind.get(kind, ())

    @property
    def names(self) -> tuple[str, ...]:
        """What visitors may call the site: its domain first, then the names that lead to it."""
        return (self.domain, *self.aliases)

    @property
    def central(self) -> Node:
        """The mother node: share, database, broker."""
        return self._by_kind[ONE][0]

    @property
    def children(self) -> tuple[Node, ...]:
        """The nodes that serve users."""
        return self._serving

    @property
    def name_servers(self) -> tuple[Node, ...]:
        """The nodes with the role dns; the first makes the zone."""
        return tuple(node for node in self.nodes if "dns" in node.roles)

    def accepted(self, name: str) -> tuple[Secret, ...]:
        """The values of a secret that a server takes: the one in use comes first.

        Two while it is being rotated (``nodriza.rotation``), else one.
        """
        both = (Secret(name), Secret(name + OTHER))
        return both if name in self.rotating else both[:1]

    @property
    def private_addresses(self) -> tuple[str, ...]:
        """Every node's private address: who may talk to MySQL, Redis and the share."""
        return tuple(node.private for node in self.nodes)
