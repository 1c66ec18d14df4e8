"""What a lab's network has to be: names, addresses and rules, as values.

``network`` makes it so.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodriza.errors import LabError
from nodriza.lab import state
from nodriza.lab.programs import run

if TYPE_CHECKING:
    from nodriza.inventory.model import Cluster

LABS = "198.18.0.0/15"
"""For benchmarks (RFC 2544), so in nobody's office: where labs take their addresses from."""
UPLINKS = ("198.18.255.0/24", "198.19.255.0/24")


@dataclass(frozen=True)
class Network:
    """One bridge; ``gateway`` is the controller's address on it."""

    name: str
    cidr: str
    gateway: str

    @property
    def bridge(self) -> str:
        """The interface in the lab's namespace."""
        return f"br-{self.name}"

    @property
    def length(self) -> int:
        """The prefix length."""
        return IPv4Network(self.cidr).prefixlen


@dataclass(frozen=True)
class Wiring:
    """All that a lab's network is made from."""

    netns: str
    networks: tuple[Network, ...]
    uplink: str
    outside: str
    inside: str

    @property
    def table(self) -> str:
        """The nft table in the controller's own namespace."""
        return self.netns.replace("-", "_")

    @property
    def cidrs(self) -> str:
        """What must not leave the computer, as an nft set."""
        others = [n.cidr for n in self.networks if not _overlap(n.cidr, LABS)]
        return ", ".join([LABS, *others])


def netns_of(cluster: str) -> str:
    """The name of a lab's namespace."""
    return f"nodriza-{cluster}"


def uplink_of(cluster: str) -> str:
    """The lab's interface among the controller's own; short, as interface names must be."""
    return "nd-" + hashlib.sha256(cluster.encode()).hexdigest()[:8]


def namespace_file(netns: str) -> Path:
    """Where ``ip netns`` keeps a namespace."""
    return Path("/run/netns") / netns


def traces(cluster: Cluster, place: state.Place) -> dict[str, Any]:
    """What a lab's network was made from, as far as anything still tells."""
    networks = [
        {"cidr": cidr} for cidr in (cluster.networks.private, cluster.networks.public) if cidr
    ]
    made_up = {
        "netns": netns_of(cluster.name),
        "uplink": uplink_of(cluster.name),
        "networks": networks,
    }
    return state.read_json(place.network) or made_up


def plan(cluster: Cluster) -> Wiring:
    """What the lab's network has to be; refuses addresses that are taken."""
    networks = networks_of(cluster)
    refuse_taken(cluster, networks)
    outside, within = _uplink_addresses(cluster.name, networks)
    return Wiring(
        netns_of(cluster.name), tuple(networks), uplink_of(cluster.name), outside, within
    )


def networks_of(cluster: Cluster) -> list[Network]:
    """Those of the inventory, with an address for the controller."""
    used = {address for node in cluster.nodes for address in (node.private, node.public)}
    return [
        Network(name, cidr, _gateway(cidr, used))
        for name in ("private", "public")
        if (cidr := getattr(cluster.networks, name))
    ]


def without_networks(cluster: Cluster) -> Wiring:
    """A namespace with its way out, for a libvirt that makes its networks itself."""
    outside, within = _uplink_addresses(cluster.name, networks_of(cluster))
    return Wiring(netns_of(cluster.name), (), uplink_of(cluster.name), outside, within)


def _gateway(cidr: str, used: set[str | None]) -> str:
    network = IPv4Network(cidr)
    for address in (network[1], network[-2]):
        if str(address) not in used:
            return str(address)
    raise LabError(
        f"no address left for the controller in {cidr}",
        do=f"leave {network[1]} or {network[-2]} free in the inventory",
    )


def _overlap(one: str, other: str) -> bool:
    return IPv4Network(one).overlaps(IPv4Network(other))


def other_labs(cluster: str) -> list[dict[str, Any]]:
    """What the networks of the other labs that are up were made from."""
    files = state.state_root().glob("*/network.json")
    found = [state.read_json(path) for path in files if path.parent.name != cluster]
    return [data for data in found if data and namespace_file(data["netns"]).exists()]


def refuse_taken(cluster: Cluster, networks: list[Network], shared: tuple[str, ...] = ()) -> None:
    """Raise ``LabError`` for a network that this computer has already.

    ``shared``: what the names of interfaces begin with that may have it.
    """
    mine = (uplink_of(cluster.name), *shared)
    taken = [
        (route["dst"], f"the interface {route['dev']}")
        for route in json.loads(run(["ip", "-j", "-4", "route"]) or "[]")
        if "dev" in route and route["dst"] != "default" and not route["dev"].startswith(mine)
    ]
    for lab in other_labs(cluster.name):
        taken += [(net["cidr"], f"the lab {lab['netns'][8:]}") for net in lab["networks"]]
    for network in networks:
        for cidr, by in taken:
            if _overlap(network.cidr, cidr):
                raise LabError(
                    f"the {network.name} network {network.cidr} is already that of {by}",
                    where=str(cluster.path),
                    kept="nothing was changed",
                    do=f"choose another network out of {LABS}, or take that lab down",
                )


def free_networks() -> tuple[str, str]:
    """Two that no lab and no interface of this computer has, for a lab that may be anywhere."""
    routes = json.loads(run(["ip", "-j", "-4", "route"]) or "[]")
    taken = [route["dst"] for route in routes if "dev" in route and route["dst"] != "default"]
    taken += [net["cidr"] for lab in other_labs("") for net in lab["networks"]]
    for third in range(0, 254, 2):
        pair = (f"198.19.{third}.0/24", f"198.19.{third + 1}.0/24")
        if not any(_overlap(one, other) for one in pair for other in taken):
            return pair
    raise LabError("no networks left for a lab", do="take another lab down")


def _uplink_addresses(cluster: str, networks: list[Network]) -> tuple[str, str]:
    """A pair of addresses for the uplink: the same ones each time, if they are free."""
    mine = state.read_json(state.Place(cluster).network)
    others = {lab["outside"] for lab in other_labs(cluster)}
    start = hashlib.sha256(cluster.encode()).digest()[0]
    for pool in (IPv4Network(cidr) for cidr in UPLINKS):
        if any(_overlap(str(pool), network.cidr) for network in networks):
            continue
        if "outside" in mine and mine["outside"] not in others:
            if IPv4Address(mine["outside"]) in pool:
                return mine["outside"], mine["inside"]
            continue
        pairs = list(pool.subnets(new_prefix=30))
        for pair in pairs[start % 64 :] + pairs[: start % 64]:
            if str(pair[1]) not in others:
                return str(pair[1]), str(pair[2])
    raise LabError("no addresses left for the lab's uplink", do="take another lab down")


@dataclass(frozen=True)
class WayOut:
    """What of the outside a lab's machines reach: nothing, or all but ``never``."""

    open: bool = True
    never: tuple[str, ...] = ()

    @property
    def refused(self) -> str:
        """The nft rules, for who begins a connection. It is told at once that it can't.

        Those that were open before it are refused as well, so it stands before the one for what
        is established. Answers to a browser on this computer are no connection of the machines.
        """
        words = "reject with icmp type admin-prohibited"
        if not self.open:
            return f'oifname "uplink" ct direction original {words}'
        return "\n    ".join(f'oifname "uplink" ip daddr {each} {words}' for each in self.never)


OPEN = WayOut()


def inner_rules(wiring: Wiring, way_out: WayOut = OPEN) -> str:
    """The nft rules of the lab's own namespace."""
    # Where br_netfilter is loaded, what stays on one bridge comes through here too.
    same = "\n".join(f'iifname "{n.bridge}" oifname "{n.bridge}" accept' for n in wiring.networks)
    return f"""
table ip lab
delete table ip lab
table ip lab {{
  chain forward {{
    type filter hook forward priority filter; policy drop;
    {same}
    {way_out.refused}
    ct state established,related accept
    iifname "uplink" oifname "br-public" accept
    oifname "uplink" ip daddr {{ {wiring.cidrs} }} drop
    iifname "br-*" oifname "uplink" accept
    iifname "virbr*" oifname {{ "uplink", "virbr*" }} accept
  }}
  chain out {{
    type nat hook postrouting priority srcnat;
    oifname "uplink" ip saddr != {wiring.inside} masquerade
  }}
}}
"""


def outer_rules(wiring: Wiring, way_out: WayOut = OPEN) -> str:
    """The nft rules of the controller; a lab that is closed is so here once more."""
    closed = "" if way_out.open else f'iifname "{wiring.uplink}" drop'
    return f"""
table ip {wiring.table}
delete table ip {wiring.table}
table ip {wiring.table} {{
  chain forward {{
    type filter hook forward priority filter;
    {closed}
    iifname "{wiring.uplink}" tcp flags syn tcp option maxseg size set rt mtu
    oifname "{wiring.uplink}" tcp flags syn tcp option maxseg size set rt mtu
    iifname "{wiring.uplink}" ip daddr {{ {wiring.cidrs} }} drop
    oifname "{wiring.uplink}" ct state established,related accept
    oifname "{wiring.uplink}" drop
  }}
  chain out {{
    type nat hook postrouting priority srcnat;
    ip saddr {wiring.inside} oifname != "{wiring.uplink}" masquerade
  }}
}}
"""
