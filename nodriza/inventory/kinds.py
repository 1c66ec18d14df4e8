"""The kinds of nodes, as data: whatever the rest of the project asks about one stands here.

A new kind is an entry, its word in ``Kind``, and its key in ``nodriza.inventory.sections.kinds``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["central", "combined", "child", "video", "worker", "service"]


@dataclass(frozen=True)
class About:
    """What one kind is.

    ``words``: what it is called on the command line besides its name; ``every``: how all of its
    nodes are called in a picture. ``roles``: what it is made of when nobody says otherwise, in the
    words of ``nodriza.inventory.roles.ORDER``; those of its services come to them. ``variables``:
    what it has when nobody says otherwise. ``serves``: it has visitors. ``one``: a cluster has
    exactly one node of all such kinds, and what no line of ``services`` places is done there.
    ``below``: in a picture it stands below the others, with all that it does for them. ``grows``:
    ``fab node.add`` and ``fab node.remove`` know it. ``once``: its place in the order of who does
    what an application does once; the lowest is first.
    """

    does: str
    roles: tuple[str, ...]
    words: tuple[str, ...] = ()
    every: str = ""
    serves: bool = False
    one: bool = False
    below: bool = False
    grows: bool = True
    once: int = 2
    variables: Mapping[str, Any] = field(default_factory=dict)


KINDS: dict[str, About] = {
    "central": About(
        "whatever services no other node has; there is one.",
        ("base", "firewall"),
        one=True,
        below=True,
        grows=False,
    ),
    "combined": About(
        "a central node that serves users too, and does Celery's tasks; in the place of a central"
        " one.",
        (
            *("base", "firewall", "{share}_client", "app", "celery"),
            *("{application}", "tls", "nginx"),
        ),
        words=("central", "children", "server-n"),
        serves=True,
        one=True,
        grows=False,
    ),
    "child": About(
        "serves users.",
        ("base", "firewall", "{share}_client", "app", "{application}", "tls", "nginx"),
        words=("children", "server-n"),  # "the children, however many"
        every="all children",
        serves=True,
    ),
    "video": About(
        "makes videos.",
        ("base", "firewall", "{share}_client", "app", "ffmpeg", "celery"),
        words=("videos",),
        every="all video nodes",
        once=1,  # nobody waits for a page there
    ),
    "worker": About(
        "does Celery's tasks, without ffmpeg.",
        ("base", "firewall", "{share}_client", "app", "celery"),
        words=("workers",),
        every="all workers",
        once=0,  # nor is its processor busy with videos
        variables={"celery_concurrency": 4},
    ),
    "service": About(
        "only what `services` puts there.",
        ("base", "firewall"),
        words=("services",),
        every="all service nodes",
        below=True,
    ),
}
"""In the order in which they are shown."""
WORDS = {
    word: tuple(kind for kind, its in KINDS.items() if word in (kind, *its.words))
    for name, about in KINDS.items()
    for word in (name, *about.words)
}
"""Each word of the command line for nodes, with the kinds that they may have."""
GROWING = tuple(name for name, about in KINDS.items() if about.grows)
ONE = tuple(name for name, about in KINDS.items() if about.one)
"""Of these kinds a cluster has one node."""
SERVING = next(name for name, about in KINDS.items() if about.serves and about.grows)
"""The kind of a node about which nothing was said."""
