"""What an NFS server shares, and with whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, List, Sequence, Tuple

from nodriza.resources.base import Watched

if TYPE_CHECKING:
    from nodriza.host.host import Host

TABLE = "/var/lib/nfs/etab"
"""What is exported by now (exportfs(8)), whichever file or command it came from."""


@dataclass(frozen=True)
class NfsExport(Watched):
    """The folder ``path`` is shared with ``clients``, and nothing else is with anybody.

    Never a gap: files in /etc/exports.d and the server's reload bring it about. What is
    shared besides is told by ``strays``.
    """

    path: str
    clients: Tuple[str, ...]

    @classmethod
    def strays(cls, host: Host, many: Sequence[NfsExport]) -> List[str]:
        """The server's table, a line "path client(options)" each."""
        known = {(export.path, client) for export in many for client in export.clients}
        rows = (host.read(TABLE) or b"").decode("utf-8", "replace").splitlines()
        pairs = (row.split("(")[0].rsplit(None, 1) for row in rows if row.strip())
        there = ((path.rstrip(), client) for path, client in pairs)
        return [
            f"{path} is exported to {client}"
            for path, client in there
            if (path, client) not in known
        ]
