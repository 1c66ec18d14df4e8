"""ffmpeg: what videos are made with."""

from __future__ import annotations

from collections.abc import Iterator

from nodriza.role import Cluster, Node, Offer, Package, Resource

OFFERS = (Offer("encoding", name="ffmpeg"),)


def ffmpeg(node: Node, cluster: Cluster) -> Iterator[Resource]:
    """The program alone: the application's tasks start it."""
    yield Package("ffmpeg")
