"""What people write about their cluster, and the cluster that follows from it."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from nodriza.inventory.files import find_inventories

if TYPE_CHECKING:
    from nodriza.inventory.app import App
    from nodriza.inventory.kinds import Kind
    from nodriza.inventory.load import load_cluster
    from nodriza.inventory.model import Cluster, LabOverlay, Node
    from nodriza.inventory.sections.lab import LabConfig
    from nodriza.inventory.sections.networks import Networks
    from nodriza.inventory.sections.share import Share
    from nodriza.inventory.sections.ssh import Ssh
    from nodriza.inventory.targets import resolve_target

__all__ = [
    "App",
    "Cluster",
    "Kind",
    "LabConfig",
    "LabOverlay",
    "Networks",
    "Node",
    "Share",
    "Ssh",
    "find_inventories",
    "load_cluster",
    "resolve_target",
]

_HOME = {
    "App": "app",
    "Kind": "kinds",
    "LabConfig": "sections.lab",
    "Networks": "sections.networks",
    "Share": "sections.share",
    "Ssh": "sections.ssh",
    "load_cluster": "load",
    "resolve_target": "targets",
}


def __getattr__(name: str) -> Any:
    # pydantic takes longer to import than `fab --list`, which only wants the names of
    # the inventories, takes as a whole.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_HOME.get(name, 'model')}")
    return getattr(module, name)
