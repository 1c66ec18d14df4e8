"""The picture of a cluster: its nodes and networks, and who talks to whom on which port.

Drawn from the plans: what a node answers to, and to whom, is its ``Peers``, which the
firewall's rules are made of as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from nodriza.inventory.kinds import KINDS
from nodriza.plan.offers import links
from nodriza.plan.plan import plan_all, role_names
from nodriza.resources import Peers
from nodriza.watch.text_width import cut

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node
    from nodriza.plan.plan import Plan

Words = dict[str, tuple[str, str]]
SHOWN = 7
"""Nodes of a kind that are drawn, at most; of more, the first ones and the last one."""

BOX, GAP, MARGIN = 186, 21, 72
"""Pixels: a node's width, between two of them, and from the edge."""
LEAST = 1000 - 2 * MARGIN
"""The least width inside the margins: the upper row needs it."""


@dataclass(frozen=True)
class Box:
    """A node, or the ``more`` nodes that are not drawn."""

    x: int
    kind: str
    node: Node | None
    runs: str = ""
    answers: str = ""
    """What other nodes may ask of it, on which port."""
    more: int = 0

    @property
    def middle(self) -> int:
        """Where its lines end."""
        return self.x + BOX // 2


@dataclass(frozen=True)
class Chip:
    """Something that a node below answers with: on which ports, and to whom."""

    x: int
    width: int
    name: str
    what: str
    ports: str
    users: str

    @property
    def middle(self) -> int:
        """Where its line ends."""
        return self.x + self.width // 2


@dataclass(frozen=True)
class Below:
    """A node that works for the others, below the private network."""

    x: int
    width: int
    node: Node
    chips: list[Chip]
    others: str
    """What runs there and answers nobody."""

    @property
    def middle(self) -> int:
        """Where its words stand."""
        return self.x + self.width // 2


def draw(cluster: Cluster) -> str:
    """The picture as SVG: the same bytes for the same inventory."""
    plans = {plan.node: plan for plan in plan_all(cluster, cluster.nodes)}
    words = _offered(cluster)
    boxes, width = _boxes(cluster, words, plans)
    jinja = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return jinja.get_template("topology.svg.j2").render(
        cluster=cluster,
        width=width,
        boxes=boxes,
        web=[box for box in boxes if KINDS[box.kind].serves],
        ssh=", ".join(str(port) for port in sorted({node.ssh.port for node in cluster.nodes})),
        box=BOX,
        margin=MARGIN,
        below=_below(cluster, plans, width, words),
        port="HTTPS 443" if cluster.tls.on else "HTTP 80",
        addresses=_several([child.web_address for child in cluster.children], 2),
        cut=cut,
    )


def _offered(cluster: Cluster) -> Words:
    """Of each role that offers something, by what name people know it, and what it carries."""
    found: dict[str, tuple[str, list[str]]] = {}
    for of_node in links(cluster).offers.values():
        for role, offer in of_node:
            _, carried = found.setdefault(role, (offer.name or role, []))
            carried += [offer.carries] if offer.carries not in ("", *carried) else []
    return {role: (name, ", ".join(carried)) for role, (name, carried) in found.items()}


def _boxes(cluster: Cluster, words: Words, plans: dict[str, Plan]) -> tuple[list[Box], int]:
    """Children, then video nodes, in a row; and the width inside the margins."""
    kinds = [name for name, about in KINDS.items() if not about.below]
    row = [(kind, each) for kind in kinds for each in _few(cluster.nodes_of(kind))]
    taken = len(row) * (BOX + GAP) - GAP
    lower = sum(KINDS[node.kind].below for node in cluster.nodes) * (BOX + GAP)
    width = max(LEAST, taken + GAP, lower)
    boxes = []
    for number, (kind, each) in enumerate(row):
        # Video nodes stand at the other end.
        x = MARGIN + number * (BOX + GAP) + (width - taken if not KINDS[kind].serves else 0)
        if isinstance(each, int):
            boxes.append(Box(x, kind, None, more=each))
        else:
            peers = _peers(plans[each.name])
            answers = "; ".join(f"{_named(p, words)[0]} {', '.join(p.ports)}" for p in peers)
            boxes.append(Box(x, kind, each, _words(_shown(each.roles, cluster), words), answers))
    return boxes, width


def _few(nodes: Sequence[Node]) -> list[Node | int]:
    """All of them, or some and the number of the others."""
    if len(nodes) <= SHOWN:
        return list(nodes)
    return [*nodes[: SHOWN - 2], len(nodes) - SHOWN + 1, nodes[-1]]


def _peers(plan: Plan) -> list[Peers]:
    """What a node's plan says it answers to."""
    return [each.resource for each in plan.resources if isinstance(each.resource, Peers)]


def _named(peers: Peers, words: Words) -> tuple[str, str]:
    return words.get(peers.name, (peers.name, ""))


def _below(cluster: Cluster, plans: dict[str, Plan], width: int, words: Words) -> list[Below]:
    """Side by side: each as wide as what it answers with needs."""
    nodes = [node for node in cluster.nodes if KINDS[node.kind].below]
    parts = [max(1, len(_peers(plans[node.name]))) for node in nodes]
    left = width - GAP * (len(nodes) - 1)
    found, x = [], MARGIN
    for node, part in zip(nodes, parts, strict=True):
        wide = left * part // sum(parts)
        peers = _peers(plans[node.name])
        answering = {peer.name.partition("-")[0] for peer in peers}
        others = [role for role in _shown(node.roles, cluster) if role not in answering]
        found.append(
            Below(x, wide, node, _chips(cluster, peers, x, wide, words), _words(others, words))
        )
        x += wide + GAP
    return found


def _chips(
    cluster: Cluster, peers: Sequence[Peers], left: int, width: int, words: Words
) -> list[Chip]:
    one = (width - 20 * (len(peers) + 1)) // max(1, len(peers))
    chips = []
    for number, each in enumerate(peers):
        name, what = _named(each, words)
        users = [node for node in cluster.nodes if node.private in each.allow]
        x = left + 20 + number * (one + 20)
        chips.append(Chip(x, one, name, what, ", ".join(each.ports), _users(cluster, users)))
    return chips


def _users(cluster: Cluster, users: Sequence[Node]) -> str:
    """ "all children, video-1": kinds where all nodes of one are meant."""
    words = []
    for kind, word in ((name, about.every) for name, about in KINDS.items() if about.every):
        of_kind = [node for node in users if node.kind == kind]
        whole = len(of_kind) == len([node for node in cluster.nodes if node.kind == kind])
        names = [node.name for node in of_kind]
        words += [word] if whole and len(names) > 1 else [_several(names, 3)] if names else []
    return ", ".join(words)


def _shown(roles: Sequence[str], cluster: Cluster) -> list[str]:
    """Without those that say of themselves that people need not see them: ``SHOWN = False``."""
    return [role for role in roles if role_names(role, cluster).get("SHOWN", True)]


def _words(roles: Iterable[str], words: Words) -> str:
    """What visitors meet first comes first; in a list of roles it is the last."""
    names = [words.get(role, (role, ""))[0] for role in roles]
    return ", ".join(reversed(names))


def _several(names: Sequence[str], most: int) -> str:
    return ", ".join([*names[:most], *(["…"] if len(names) > most else [])])
