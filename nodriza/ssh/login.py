"""How the operator asked to log in, for this one command line: Fabric's own flags and settings.

It holds for every connection of the process, to nodes and to gateways, and is stronger than
the inventory: it was typed later.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Login:
    """What is empty or ``None`` is as the inventory and ssh_config say."""

    identities: tuple[str, ...] = ()
    """Private keys, ``--identity``; then no other key is offered."""
    ssh_config: str | None = None
    """A file in the place of ~/.ssh/config and /etc/ssh/ssh_config, ``--ssh-config``."""
    patience: float | None = None
    """Seconds for the TCP connection, the banner and the log-in each, ``--connect-timeout``."""
    password: str | None = field(default=None, repr=False)
    passphrase: str | None = field(default=None, repr=False)


_typed = Login()


def typed() -> Login:
    """What was asked for on this command line; nothing of it in a program of another's."""
    return _typed


def remember(login: Login) -> None:
    """Once, before the first connection."""
    global _typed  # noqa: PLW0603  one command line is one process
    _typed = login
