"""Which roles there are, which a node gets, and nothing about what they do."""

from __future__ import annotations

import importlib.util
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from nodriza.inventory.kinds import KINDS, Kind
from nodriza.inventory.services import SERVICES

DEFAULT = "default"
"""In a list of roles: the ones there would be without the list."""


ONLY_WITH = {"certbot": ("acme",), "tls": ("acme", "files")}
"""Roles that only some ways to a certificate need (``tls.mode``)."""


ONCE = ("beat",)
"""Roles that one node of a cluster may have."""
ORDER = (
    *("base", "firewall", "{share}_server", "{share}_client"),
    *("{database}", "{broker}", "{cache}", "{data}"),
    *("app", "ffmpeg", "celery", "{beat}", "certbot"),
    *("procfile", "{application}", "tls", "nginx", "backup"),
)
"""The roles of kinds and services as a node has them; in braces stands the engine of a service."""


BESIDE = ("{share}_client", "app", "procfile")
"""What a node with processes beside the web is made of, besides what its kind brings."""


def default_roles(
    kind: Kind,
    engines: Mapping[str, str],
    services: Iterable[str] = (),
    tls: str = "none",
    *,
    backup: bool = False,
    more: Iterable[str] = (),
) -> tuple[str, ...]:
    """What a node of a kind, which does these services, is made of when nobody says otherwise;
    ``more`` as well.
    """
    own = (role for name in services for role in SERVICES[name].roles)
    wanted = {*KINDS[kind].roles, *own, *more}
    if "{share}_server" in wanted:
        wanted.discard("{share}_client")
    if not backup:
        wanted.discard("backup")
    roles = (role.format(**engines) for role in ORDER if role in wanted)
    return tuple(dict.fromkeys(each for each in roles if tls in ONLY_WITH.get(each, (tls,))))


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
