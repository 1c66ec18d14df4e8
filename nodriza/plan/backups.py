"""What of a role's data has to survive its node, in the words of the role.

A role says it beside its function, in a tuple or in a function of node and cluster::

    BACKUPS = (Backup("mail", paths=("/var/vmail",)),)

The role ``backup`` copies it, restores it on trial and puts it back, and knows no engine by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodriza.plan.offers import said

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node


@dataclass(frozen=True)
class Backup:
    """Data of one role on one node.

    ``name``: the word for it on the command line, such as "database".

    ``paths``: folders or files that can be copied while they are in use. Without a ``program``
    they are what is restored.

    ``program``: the path of a program on the node, for data that can't be copied as they lie
    there. It is called with one of these words:

    * ``take NOTES``: writes the data to stdout. It leaves in the folder NOTES what has to be known
      of them, among it ``counts``: lines of a name, a tab and a number, which are true of exactly
      these data. Afterwards the ``paths`` are copied, for what came in between.
    * ``rebuild FOLDER NOTES PATHS [TIME]``: reads the data from stdin and makes FOLDER what the
      engine can start with, as they were when NOTES were taken; with TIME (such as "2026-11-30
      21:05:00", in UTC) as they were then. PATHS is where the copy of ``paths`` lies.
    * ``count FOLDER NOTES``: prints the lines of ``counts`` for a rebuilt FOLDER.
    * ``live``: prints such lines for what is in use now, quickly; they may be estimates. Nothing
      means that there are no data.
    * ``placed``: it has just been given rebuilt data, and its units run.

    ``rebuild`` and ``count`` run as ``user``, without a network, and can write to FOLDER only.

    ``folder``: what a rebuilt folder is put in the place of. ``units``: what has it open.
    """

    name: str
    paths: tuple[str, ...] = ()
    program: str = ""
    folder: str = ""
    user: str = ""
    units: tuple[str, ...] = ()


def backups(node: Node, cluster: Cluster) -> tuple[Backup, ...]:
    """What is backed up on a node: nothing, where the inventory has no ``backup``."""
    if cluster.backup is None:
        return ()
    return tuple(
        each for role in node.roles for each in said(role, "BACKUPS", Backup, node, cluster)
    )
