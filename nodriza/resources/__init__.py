"""The nouns: what a host can be asked to have, one file each.

Importing this package is what makes all of them known; ``roles/`` import from here.
"""

from nodriza.resources.absent import Absent
from nodriza.resources.archive import Archive
from nodriza.resources.base import KINDS, Gap, Resource, State, from_data, gap_between, to_data
from nodriza.resources.command import Command
from nodriza.resources.database import Database, DatabaseUser
from nodriza.resources.directory import Directory
from nodriza.resources.file import File
from nodriza.resources.gluster_volume import GlusterVolume
from nodriza.resources.group import Group
from nodriza.resources.link import Link
from nodriza.resources.mount import Mount
from nodriza.resources.old_releases import OldReleases
from nodriza.resources.package import Package
from nodriza.resources.service import Service
from nodriza.resources.touch import Touch
from nodriza.resources.user import User
from nodriza.resources.venv import Venv

__all__ = [
    "KINDS",
    "Absent",
    "Archive",
    "Command",
    "Database",
    "DatabaseUser",
    "Directory",
    "File",
    "Gap",
    "GlusterVolume",
    "Group",
    "Link",
    "Mount",
    "OldReleases",
    "Package",
    "Resource",
    "Service",
    "State",
    "Touch",
    "User",
    "Venv",
    "from_data",
    "gap_between",
    "to_data",
]
