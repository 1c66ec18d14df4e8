"""The one import of a role: ``from nodriza.role import Package, Service, template``.

Its names are a promise, which docs/writing-a-role.rst lists. The modules behind them may move.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodriza.inventory import Cluster, Node
from nodriza.plan.backups import Backup, backups
from nodriza.plan.dump import Dump
from nodriza.plan.offers import (
    Offer,
    Variables,
    does,
    doors,
    needs,
    neighbours,
    offered,
    public,
    server,
    servers,
    told,
    users,
)
from nodriza.plan.queue import Queue
from nodriza.plan.render import Template, template
from nodriza.plan.same import environment
from nodriza.resources import (
    Absent,
    Command,
    Database,
    DatabaseAccess,
    DatabaseUser,
    Directory,
    File,
    FileSystem,
    GlusterVolume,
    Group,
    Health,
    Link,
    Mount,
    NfsExport,
    Package,
    Peers,
    Resource,
    Service,
    Touch,
    User,
    Zone,
)
from nodriza.vault.token import Secret, env, secret

if TYPE_CHECKING:
    from nodriza.smoke import Site as Site  # only its type: what it needs is slow to load

VERSION = 1
"""Of the promise. A name that goes, or that comes to mean something else, makes it grow."""

__all__ = [
    "VERSION",
    "Absent",
    "Backup",
    "Cluster",
    "Command",
    "Database",
    "DatabaseAccess",
    "DatabaseUser",
    "Directory",
    "Dump",
    "File",
    "FileSystem",
    "GlusterVolume",
    "Group",
    "Health",
    "Link",
    "Mount",
    "NfsExport",
    "Node",
    "Offer",
    "Package",
    "Peers",
    "Queue",
    "Resource",
    "Secret",
    "Service",
    "Template",
    "Touch",
    "User",
    "Variables",
    "Zone",
    "backups",
    "does",
    "doors",
    "env",
    "environment",
    "needs",
    "neighbours",
    "offered",
    "public",
    "secret",
    "server",
    "servers",
    "template",
    "told",
    "users",
]
