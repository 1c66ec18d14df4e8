"""Which roles there are, which a node gets, and nothing about what they do."""

from __future__ import annotations

import importlib.util
import pkgutil
from collections.abc import Sequence
from pathlib import Path

from nodriza.inventory.kinds import KINDS, Kind
from nodriza.inventory.sections.share import Engine

DEFAULT = "default"
"""In a list of roles: the ones there would be without the list."""


ONLY_WITH = {"certbot": ("acme",), "tls": ("acme", "files")}
"""Roles that only some ways to a certificate need (``tls.mode``)."""


def default_roles(kind: Kind, engine: Engine, tls: str = "none") -> tuple[str, ...]:
    """What a node of a kind is made of when nobody says otherwise."""
    roles = (role.format(share=engine) for role in KINDS[kind].roles)
    return tuple(role for role in roles if tls in ONLY_WITH.get(role, (tls,)))


def merged_roles(defaults: tuple[str, ...], *levels: Sequence[str] | None) -> tuple[str, ...]:
    """The last of ``levels`` that is given; ``default`` in it means the one before."""
    roles = defaults
    for level in levels:
        if level is not None:
            spread = [inner for role in level for inner in (roles if role == DEFAULT else (role,))]
            roles = tuple(dict.fromkeys(spread))
    return roles


def known_roles(inventory: Path) -> list[str]:
    """The modules in ``nodriza.roles``, and in ``roles/`` beside the inventory's folder.

    Nothing is imported: a role with a mistake in it still has its name.
    """
    folders = [str(inventory.resolve().parent.parent / "roles")]
    package = importlib.util.find_spec("nodriza.roles")
    if package:
        folders += package.submodule_search_locations or []
    names = {module.name for module in pkgutil.iter_modules(folders)}
    return sorted(name for name in names if not name.startswith("_"))
