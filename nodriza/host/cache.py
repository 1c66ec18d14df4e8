"""What installers keep of earlier downloads and builds, which none of them bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodriza.host import tree

if TYPE_CHECKING:
    from nodriza.host.host import Host

LARGEST = 2 * 1024 * 1024 * 1024
"""Bytes, or twice an environment where that is more. (``uv cache prune`` minds no size.)"""


def bound(host: Host, folder: str, user: str, environment: int) -> None:
    """One that has become too large begins anew, with what is needed next.

    ``user`` has no rights and owns what is in it, so nobody else takes it away. ``environment``:
    the bytes of one.
    """
    size = tree.extent(host, folder)[0] if folder else 0
    if size > max(LARGEST, 2 * environment):
        host.note(f"{folder} had {size >> 20} MB of earlier downloads, and begins anew")
        argv = ["find", host.at(folder), "-mindepth", "1", "-delete"]
        host.run(argv, user=user, check=False)
