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
from nodriza.inventory.base import Model, whole
from nodriza.inventory.site import FORM_MB, Limits, SiteNames
from nodriza.inventory.tls import Tls, TlsSettings
from nodriza.secret import OTHER, Secret

Kind = Literal["central", "child", "video"]
Engine = Literal["nfs", "glusterfs"]
Driver = Literal["nspawn", "vagrant"]
Placement = Literal["local", "share"]
Installer = Literal["uv", "pip"]
Acceleration = Literal["kvm", "emulated"]
Variables = dict[text.VariableName, Any]
Roles = Annotated[tuple[text.RoleName, ...], text.Items]


class Networks(Model):
    """Where nodes talk to each other, and where users come in."""

    private: text.Network
    public: text.Network | None = None


class HealthCheck(Model):
    """A page that has to answer before a child counts as well after a deploy."""

    path: text.UrlPath
    expect: Annotated[int, whole(200, 499)] = 200


class Hooks(Model):
    """Commands of the project's own around a deploy."""

    build: Annotated[tuple[text.ShellLine, ...], text.Items] = ()
    before_switch: Annotated[tuple[text.ShellLine, ...], text.Items] = ()
    after: Annotated[tuple[text.AfterHook, ...], text.Items] = ()


class Tasks(Model):
    """What Celery's tasks are like. ``longest``: seconds that one of them may take."""

    longest: Annotated[int, whole(1, 604_800)] = 3600

    @property
    def visibility(self) -> int:
        """Seconds after which a task that nobody has acknowledged goes to another worker.

        Longer than one may wait in a worker for the one before it, and be worked on then. 3600 is
        what Redis's transport has by itself (kombu's visibility_timeout).
        """
        return max(3600, 2 * self.longest)


class AppSettings(Model):
    """The Django application, as written."""

    name: text.AppName
    source: text.Folder
    wsgi: text.Module
    settings: text.Module
    celery: text.Module | None = None
    tasks: Tasks = Tasks()
    requirements: text.InsidePath | None = None
    installer: Installer = "uv"
    hooks: Hooks = Hooks()
    include: Annotated[tuple[text.InsidePath, ...], text.Items] = ()
    releases: Placement | None = None
    health: Annotated[tuple[HealthCheck, ...], text.Items] = ()
    debug: bool = False
    uid: Annotated[int, whole(100, 59999)] = 800
    processes: Annotated[int, whole(1, 512)] | None = None
    threads: Annotated[int, whole(1, 256)] = 2
    max_upload_mb: Annotated[int, whole(1, 1_000_000)] = 200
    uploads: Annotated[tuple[text.UrlPrefix, ...], text.Items] = ()
    environment: text.Environment = Field(default={})
    packages: Annotated[tuple[text.PackageName, ...], text.Items] = ()
    build_packages: Annotated[tuple[text.PackageName, ...], text.Items] = ()
    smoke: text.InsidePath | None = None


class App(AppSettings):
    """The Django application, with the places it gets on every node."""

    source_path: Path
    releases: Placement

    @property
    def most_processes(self) -> int:
        """On one child. Where the number is the child's own to find, for one of 16 cores."""
        return self.processes or 17

    @property
    def form_mb(self) -> int:
        """What visitors can send in one request, in MiB, where nobody uploads files."""
        return FORM_MB

    @property
    def largest_body_mb(self) -> int:
        """What visitors can send in one request, in MiB, at the addresses that take most."""
        return self.max_upload_mb if self.uploads else FORM_MB

    @property
    def user(self) -> str:
        """The unix user and group that the application's files belong to."""
        return self.name

    @property
    def builder(self) -> str:
        """The user who builds environments on the central node, and has no rights there."""
        return f"{self.name[:26]}-build"  # 32 letters are the most (useradd(8))

    @property
    def cache(self) -> str:
        """What the builder has downloaded and built before."""
        return f"/var/cache/nodriza/{self.name}"

    @property
    def uv(self) -> str:
        """The environment that has uv in it, root's own, on the central node."""
        return f"{self.own}/uv"

    @property
    def own_files(self) -> tuple[str, ...]:
        """Where the application writes while a release is made or tried."""
        return (self.media, self.home)

    @property
    def out_of_reach(self) -> tuple[str, ...]:
        """What other people's code does not see on the central node: the engine's records and
        keys, and the folders of the databases.
        """
        return ("/var/lib/nodriza", "/var/lib/mysql", "/var/lib/redis")

    @property
    def hidden_from_builder(self) -> tuple[str, ...]:
        """The same, and what the application may see: its variables, its files, its servers."""
        own = (f"/etc/{self.name}", self.media, "/run/mysqld", "/run/redis")
        return (*self.out_of_reach, *own)

    @property
    def root(self) -> str:
        """The share's folder of this application, the same on every node."""
        return f"/srv/{self.name}"

    @property
    def home(self) -> str:
        """Where programs of the application keep what they keep below HOME; on no share."""
        return f"/var/lib/{self.name}-home"

    @property
    def asked(self) -> tuple[tuple[str, int], ...]:
        """The pages of ``health``: each path with the status that it has to have."""
        return tuple((page.path, page.expect) for page in self.health)

    @property
    def own(self) -> str:
        """The folder that each node has for itself, on its own disk."""
        return f"/opt/{self.name}"

    @property
    def current(self) -> str:
        """The link to the release that serves: each node's own, so that they can take turns."""
        return f"{self.own}/current"

    @property
    def newest(self) -> str:
        """The link to the release that was made last, for static files of pages that are open."""
        return f"{self.own}/newest"

    @property
    def static(self) -> str:
        """The static files of the release that serves. To its processes it is told without the
        link: they stay with the release that they began with.
        """
        return f"{self.current}/static"

    @property
    def release_folder(self) -> str:
        """One folder for each release."""
        return f"{self._place}/releases"

    @property
    def venv_folder(self) -> str:
        """One Python environment for each set of requirements."""
        return f"{self._place}/venvs"

    @property
    def _place(self) -> str:
        return self.own if self.releases == "local" else self.root

    @property
    def packs(self) -> str:
        """Where nodes find what is to be on their own disks."""
        return f"{self.root}/packs"

    def pack(self, name: str) -> str:
        """The pack of a release or an environment."""
        return f"{self.packs}/{name}.tar"

    def seal(self, name: str) -> str:
        """What a release or an environment holds, as the central node wrote it down."""
        return f"{self.seals}/{name}.json"

    @property
    def record(self) -> str:
        """Which release served when: on the central node's own disk, out of others' reach."""
        return f"/var/lib/nodriza/releases/{self.name}.jsonl"

    @property
    def seals(self) -> str:
        """What each release holds; beside the record."""
        return f"/var/lib/nodriza/releases/{self.name}"

    @property
    def media(self) -> str:
        """What users upload."""
        return f"{self.root}/media"

    @property
    def reload(self) -> str:
        """The file whose touch makes every child load the current release."""
        return f"{self.root}/reload"

    @property
    def socket(self) -> str:
        """Where uwsgi takes requests from nginx."""
        return f"/run/{self.name}.sock"

    @property
    def environment_file(self) -> str:
        """The application's variables on each node, secrets among them."""
        return f"/etc/{self.name}/{self.name}.env"


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

    release: Literal["bookworm", "trixie"] = "bookworm"
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

    def node(self, name: str) -> Node:
        """The node of that name; ``KeyError`` if there is none."""
        return self._by_name[name]

    def nodes_of(self, kind: Kind) -> tuple[Node, ...]:
        """All nodes of a kind."""
        return self._by_kind.get(kind, ())

    @property
    def names(self) -> tuple[str, ...]:
        """What visitors may call the site: its domain first, then the names that lead to it."""
        return (self.domain, *self.aliases)

    @property
    def central(self) -> Node:
        """The mother node: share, database, broker."""
        return self.nodes_of("central")[0]

    @property
    def children(self) -> tuple[Node, ...]:
        """The nodes that serve users."""
        return self.nodes_of("child")

    @property
    def videos(self) -> tuple[Node, ...]:
        """The nodes that make videos."""
        return self.nodes_of("video")

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
