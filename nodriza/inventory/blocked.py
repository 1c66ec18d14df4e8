"""``blocked``: whom the cluster may shut out, and whom never."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from nodriza.inventory.sections.networks import Networks
from nodriza.inventory.yaml.partial import Draft


def check_blocked(draft: Draft) -> None:
    """None of its addresses is the cluster's own, a proxy's or an operator's."""
    top = draft.document.data
    written = top.get("blocked") if isinstance(top, dict) else None
    for index, word in enumerate(written if isinstance(written, list) else ()):
        network = _network(word)
        for name, other in _kept(draft, top):
            if network and network.overlaps(other):
                why = f"{word} would shut out {other if other.num_addresses > 1 else other[0]}"
                draft.document.complain(("blocked", index), f"{why}: {name}")
                break


def _kept(draft: Draft, top: dict[str, object]) -> Iterator[tuple[str, IPv4Network]]:
    """Networks that must not be shut out, and what each of them is."""
    networks = draft.part(Networks)
    if networks and networks.private:
        yield "the cluster's own private network", IPv4Network(networks.private)
    for node in draft.nodes:
        if node.settings and node.settings.public:
            yield f"{node.name} itself", IPv4Network(node.settings.public)
    for key in ("proxies", "operators"):
        written = top.get(key)
        for word in written if isinstance(written, list) else ():
            if network := _network(word):
                yield f"one of {key}", network


def _network(word: object) -> IPv4Network | None:
    """Nothing for what is told to be wrong elsewhere."""
    try:
        return IPv4Network(str(word))
    except ValueError:
        return None
