"""The kinds of nodes, as data: whatever the rest of the project asks about one stands here.

A new kind is an entry, its word in ``Kind``, and its key in ``nodriza.inventory.sections.kinds``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["central", "child", "video"]


@dataclass(frozen=True)
class About:
    """What one kind is.

    ``words``: what it is called on the command line besides its name; ``every``: how all of its
    nodes are called in a picture. ``roles``: what it is made of when nobody says otherwise, with
    ``{share}`` for the engine of the share. ``serves``: it has visitors. ``one``: a cluster has
    exactly one such node. ``builds``: releases are made there, and it has the folders of the
    share. ``below``: in a picture it stands below the others, with all that it does for them.
    ``grows``: ``fab node.add`` and ``fab node.remove`` know it.
    """

    does: str
    roles: tuple[str, ...]
    words: tuple[str, ...] = ()
    every: str = ""
    serves: bool = False
    one: bool = False
    builds: bool = False
    below: bool = False
    grows: bool = True


KINDS: dict[str, About] = {
    "central": About(
        "the share, the database, the broker; there is one.",
        ("base", "firewall", "{share}_server", "mysql", "redis", "app", "certbot"),
        one=True,
        builds=True,
        below=True,
        grows=False,
    ),
    "child": About(
        "serves users.",
        ("base", "firewall", "{share}_client", "app", "uwsgi", "tls", "nginx"),
        words=("children", "server-n"),  # "the children, however many"
        every="all children",
        serves=True,
    ),
    "video": About(
        "makes videos.",
        ("base", "firewall", "{share}_client", "app", "celery"),
        words=("videos",),
        every="all video nodes",
    ),
}
"""In the order in which they are shown."""
WORDS = {word: name for name, about in KINDS.items() for word in (name, *about.words)}
"""Each word of the command line for the nodes of a kind."""
GROWING = tuple(name for name, about in KINDS.items() if about.grows)
ONE = next(name for name, about in KINDS.items() if about.one)
SERVING = next(name for name, about in KINDS.items() if about.serves)
"""The kind of a node about which nothing was said."""
