"""One command on one node with a terminal, as ``ssh -t`` has it: for people.

What it sends reaches the operator's terminal as it is, because it is a terminal of the node's.
"""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING, Any

from fabric.runners import Remote
from invoke import Responder, pty_size
from invoke.exceptions import ThreadException

from nodriza.errors import ConnectionFailed
from nodriza.ssh.channel import not_begun
from nodriza.ssh.connection import connect
from nodriza.ssh.login_shell import in_sh
from nodriza.ssh.script import Mark

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node

PROMPT = "[nodriza] sudo password: "
"""sudo asks at the node's own terminal, unless the operator has told it before."""


class _Terminal(Remote):  # type: ignore[misc]  # Fabric has no types
    """Fabric's, of the kind that the operator has: it would always say vt100."""

    def __init__(self, mark: Mark, **options: Any) -> None:
        super().__init__(**options)
        self._mark = mark

    def start(self, command: str, *_: Any, **__: Any) -> None:
        """As Fabric's."""
        columns, rows = pty_size()
        self.channel = self.context.create_session()
        kind = os.environ.get("TERM") or "dumb"
        self.channel.get_pty(term=kind, width=columns, height=rows)
        signal.signal(signal.SIGWINCH, self.handle_window_change)
        self.send_start_message(command)

    def read_proc_stdout(self, num_bytes: int) -> bytes:
        """As Fabric's, without the mark: what a login prints, and sudo's question, are shown."""
        while data := self.channel.recv(num_bytes):
            if shown := b"".join(self._mark.part(data)):
                return shown
        return b""


def at_terminal(
    node: Node, cluster: Cluster, script: str, *, sudo: bool, sudo_password: str | None
) -> int:
    """The exit code of a script for sh(1); ``sudo``: as root, whoever logs in.

    Raises ``ConnectionFailed`` where the line broke: then the node has ended the command.
    """
    with connect(node, cluster) as connection:
        as_root = sudo and connection.user != "root"
        words = f"/usr/bin/sudo -p '{PROMPT}'" if as_root else ""
        answers = []
        if as_root and sudo_password is not None:
            answers.append(Responder(re.escape(PROMPT), f"{sudo_password}\n"))
        broke = ""
        code = -1
        mark = Mark()
        try:
            done = _Terminal(mark, context=connection).run(
                in_sh(mark.on(script), words), pty=True, warn=True, watchers=answers
            )
            code = done.exited
        except ThreadException:  # what was typed could not be sent any more
            broke = "the line to the host broke"
        broke = connection.broken() or broke
    if broke or code < 0:
        raise ConnectionFailed(
            broke or "the command was killed",
            where=node.name,
            kept="the host has ended the command",
            do=f"see how the node is: fab status:{node.name}",
        )
    if not mark.seen and code == 0:
        raise not_begun(connection, f"its login ended first (exit {code})", "")
    return int(code)
