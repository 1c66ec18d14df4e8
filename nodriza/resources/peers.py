"""Who may be connected to a port."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Iterator, List, NamedTuple, Sequence, Tuple

from nodriza.resources.base import Watched

if TYPE_CHECKING:
    from nodriza.host.host import Host

ESTABLISHED = "01"
TABLES = ("/proc/net/tcp", "/proc/net/tcp6")


@dataclass(frozen=True)
class Peers(Watched):
    """Nobody but ``allow`` (addresses) is connected to ``ports`` ("2049", "49152-49251").

    Never a gap: a connection is nothing that a provision would cut. A stranger's is told by
    ``strays``, which a firewall that came later than the connection says nothing of.
    """

    name: str
    ports: Tuple[str, ...]
    allow: Tuple[str, ...]

    @classmethod
    def strays(cls, host: Host, many: Sequence[Peers]) -> List[str]:
        """The kernel's table of connections, read once, its own users left out."""
        links = list(_links(host))
        found = {
            f"{link.peer} is connected to {peers.name} (port {link.port})"
            for peers in many
            for link in links
            if peers._has(link.port) and link.peer not in peers.allow and not link.is_own
        }
        return sorted(found)

    def _has(self, port: int) -> bool:
        ends = (ports.partition("-") for ports in self.ports)
        return any(int(first) <= port <= int(last or first) for first, _, last in ends)


class Link(NamedTuple):
    """One connection that somebody made to this host."""

    here: str
    port: int
    peer: str

    @property
    def is_own(self) -> bool:
        """From this very host."""
        return self.peer == self.here or self.peer == "::1" or self.peer.startswith("127.")


def _links(host: Host) -> Iterator[Link]:
    """proc_pid_net(5): "sl local_address rem_address st", numbers in hexadecimal."""
    for table in TABLES:
        for row in (host.read(table) or b"").decode().splitlines()[1:]:
            fields = row.split()
            if fields[3] == ESTABLISHED:
                here, port = fields[1].split(":")
                yield Link(_address(here), int(port, 16), _address(fields[2].split(":")[0]))


def _address(word: str) -> str:
    import ipaddress  # noqa: PLC0415  slow to load, and no provision needs it

    # 32 bits at a time, each in this machine's own order.
    raw = bytes.fromhex(word)
    parts = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    address = ipaddress.ip_address(parts)
    return str(getattr(address, "ipv4_mapped", None) or address)
