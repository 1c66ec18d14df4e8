"""``ssh``: how to log in, for the cluster, a kind, or a node."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nodriza.inventory import text
from nodriza.inventory.base import Section, whole


class Ssh(Section):
    """How to log in. ``host``: where to connect to, if not the private address."""

    user: text.UnixUser = Field(
        default="root",
        description="The user who logs in. Any other than root needs sudo on the node.",
    )
    port: Annotated[int, whole(1, 65535)] = Field(default=22, description="The port of sshd.")
    key: text.LocalPath | None = Field(
        default=None, description="The private key, relative to this file or below ~."
    )
    gateway: text.Gateway | None = Field(
        default=None,
        description=(
            "The hop before it: a node, user@host[:port]. null: none, not even ssh_config's."
        ),
    )
    known_hosts: text.LocalPath | None = Field(
        default=None, description="The file with the host keys."
    )
    host: text.HostName | None = Field(
        default=None, description="The address to connect to, if it is not the private one."
    )


LogIn = Annotated[
    Ssh,
    Field(
        description=(
            "How to log in. The nearest to the node wins, key by key: node, then kind, then"
            " cluster."
        )
    ),
]
"""At each of the three levels."""
