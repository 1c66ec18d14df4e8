"""The nouns: what a host can be asked to have, one file each.

``roles/`` import them from here. Each is loaded when it is first asked for: a host reads
no more of them than its plan has.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from nodriza.resources.base import Gap, Resource, State, from_data, gap_between, to_data

if TYPE_CHECKING:
    from nodriza.resources.absent import Absent
    from nodriza.resources.built import Built
    from nodriza.resources.command import Command
    from nodriza.resources.copy import Copy
    from nodriza.resources.database import Database
    from nodriza.resources.database_access import DatabaseAccess
    from nodriza.resources.database_user import DatabaseUser
    from nodriza.resources.directory import Directory
    from nodriza.resources.environment import Environment
    from nodriza.resources.file import File
    from nodriza.resources.file_system import FileSystem
    from nodriza.resources.gluster_volume import GlusterVolume
    from nodriza.resources.group import Group
    from nodriza.resources.health import Health
    from nodriza.resources.intact import Intact
    from nodriza.resources.interpreter import Interpreter
    from nodriza.resources.link import Link
    from nodriza.resources.migrations import Migrations
    from nodriza.resources.mount import Mount
    from nodriza.resources.nfs_export import NfsExport
    from nodriza.resources.old_releases import OldReleases
    from nodriza.resources.package import Package
    from nodriza.resources.peers import Peers
    from nodriza.resources.preflight import Preflight
    from nodriza.resources.sealed import Sealed
    from nodriza.resources.served import Served
    from nodriza.resources.service import Service
    from nodriza.resources.static import Static
    from nodriza.resources.touch import Touch
    from nodriza.resources.trial import Trial
    from nodriza.resources.upload import Upload
    from nodriza.resources.user import User
    from nodriza.resources.venv import Venv
    from nodriza.resources.zone import Zone

__all__ = [
    "Absent",
    "Built",
    "Command",
    "Copy",
    "Database",
    "DatabaseAccess",
    "DatabaseUser",
    "Directory",
    "Environment",
    "File",
    "FileSystem",
    "Gap",
    "GlusterVolume",
    "Group",
    "Health",
    "Intact",
    "Interpreter",
    "Link",
    "Migrations",
    "Mount",
    "NfsExport",
    "OldReleases",
    "Package",
    "Peers",
    "Preflight",
    "Resource",
    "Sealed",
    "Served",
    "Service",
    "State",
    "Static",
    "Touch",
    "Trial",
    "Upload",
    "User",
    "Venv",
    "Zone",
    "from_data",
    "gap_between",
    "to_data",
]


def __getattr__(name: str) -> Any:
    """``GlusterVolume`` from ``gluster_volume.py`` (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"no noun {name}")
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    module = importlib.import_module(f"nodriza.resources.{words[1:]}")
    return vars(module)[name]
