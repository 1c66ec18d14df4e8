"""A way in: an open connection to a node, or an error that says at which hop it ended.

All nodes behind a gateway share one connection to it, as ``ssh`` does with ControlMaster: the
gateway's sshd sees one log-in, and a channel (direct-tcpip, RFC 4254, 7.2) for each node.
Such channels do not count for MaxSessions, nor for MaxStartups (sshd_config(5)).
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

import paramiko

from nodriza import foreign
from nodriza.errors import ConnectionFailed, NodrizaError
from nodriza.ssh import client, hops
from nodriza.ssh.client import Connection
from nodriza.ssh.hops import Hop
from nodriza.ssh.wire import NotSsh

if TYPE_CHECKING:
    from nodriza.inventory import Cluster, Node

T = TypeVar("T")
LOGINS = 8
"""At the same time through one door; sshd turns guests away from ten on (MaxStartups)."""
PAUSES = (0.5, 1, 1, 2, 2, 2, 2, 2, 2, 2)
"""Seconds between two tries, where a guest was turned away before any greeting. With forty guests
that do not log in sshd turns away every second one (MaxStartups 10:30:100 of sshd_config(5)), and
who has a whole run to do must not depend on five throws of a coin.
"""
NO_GREETING = "SSH protocol banner"
"""In paramiko's words for a line that ended before the other side had said who it is."""
FORGET = 30
"""Seconds for which a gateway that can't be reached is not tried again."""


class Connections:
    """Connections of one run: those that were begun ahead, and others once they are asked for.

    An open connection changes nothing on a host; a run that is never to be ends with those
    that nobody took being closed.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._begun: dict[str, Future[Connection]] = {}

    def __enter__(self) -> Connections:
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self._begun):
            self._begun.pop(name).add_done_callback(_close)

    def begin(self, nodes: Sequence[Node]) -> None:
        """Open one to each, all at the same time, while something else is done here."""
        for node in nodes:
            way = self._begun[node.name] = Future()
            # Nobody waits at the end of the program for a host that does not answer.
            threading.Thread(target=self._open, args=(node, way), daemon=True).start()

    def take(self, node: Node) -> Connection:
        """The one that was begun, or one that is opened now; it fails as ``connect`` does."""
        way = self._begun.pop(node.name, None)
        return way.result() if way else connect(node, self.cluster)

    def _open(self, node: Node, way: Future[Connection]) -> None:
        try:
            way.set_result(connect(node, self.cluster))
        except BaseException as error:  # noqa: BLE001  whoever takes it is told
            way.set_exception(error)


def _close(way: Future[Connection]) -> None:
    if way.exception() is None:
        way.result().close()


def connect(node: Node, cluster: Cluster) -> Connection:
    """An open connection.

    Raises ``ConnectionFailed``, ``HostKeyError`` or ``SshConfigError``; where it is the gateway
    that fails, with the gateway's name.
    """
    return open_connection(hops.to_node(node, cluster))


def open_connection(hop: Hop) -> Connection:
    """The same, to any hop."""

    def log_in() -> Connection:
        line = Connection(hop, gateways.open)
        line.open()
        return line

    return _at(hop, log_in)


def fetch_key(hop: Hop) -> paramiko.PKey:
    """The key that a host offers, without logging in; by the same way and as patiently."""
    return _at(hop, lambda: client.fetch_key(hop, gateways.open))


class Gateways:
    """An open line to each gateway, for all that go through it, until the program ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[Hop, Future[Connection]] = {}
        self._failed: dict[Hop, float] = {}

    def open(self, hop: Hop) -> Connection:
        """Whoever comes first logs in, the others wait for it; they share a failure as well."""
        with self._lock:
            way = self._lines.get(hop)
            if way is not None and not self._is_over(hop, way):
                mine = None
            else:
                way = mine = self._lines[hop] = Future()
        if mine:
            try:
                mine.set_result(open_connection(hop))
            except BaseException as error:  # noqa: BLE001  each of those who wait is told
                self._failed[hop] = time.monotonic()
                mine.set_exception(error)
        return way.result()

    def _is_over(self, hop: Hop, way: Future[Connection]) -> bool:
        if not way.done():
            return False
        if error := way.exception():
            # A key may be accepted, and a line of ssh_config mended, from now on.
            lasting = isinstance(error, ConnectionFailed)
            return not lasting or time.monotonic() - self._failed[hop] > FORGET
        return not way.result().is_connected

    def at(self, hop: Hop) -> Connection | None:
        """The line that is there, whether it is whole or not."""
        way = self._lines.get(hop)
        return way.result() if way and way.done() and not way.exception() else None


gateways = Gateways()
_doors: dict[object, threading.Semaphore] = {}


def _at(hop: Hop, act: Callable[[], T]) -> T:
    """Do something at a hop; what goes wrong there is told with its name."""
    # Programs may all lead to one gateway, of which nothing is known here.
    door = "program" if hop.command else (hop.before, hop.host)
    pauses = list(PAUSES)
    while True:
        _open_gateway(hop)
        began = time.monotonic()
        try:
            with _doors.setdefault(door, threading.Semaphore(LOGINS)):
                return act()
        except NodrizaError:
            raise
        except (OSError, EOFError, paramiko.SSHException) as error:
            late = time.monotonic() - began > hop.timeout - 1
            if late or not pauses or not _turned_away(error):
                raise _failure(hop, error, late, len(PAUSES) - len(pauses)) from error
            # Not all at the same time again.
            time.sleep(pauses.pop(0) * random.uniform(0.5, 1.5))  # noqa: S311


def _turned_away(error: BaseException) -> bool:
    """Whether it hung up without a word, or as an sshd that is full; that may end in a moment."""
    return NO_GREETING in str(error)


def _open_gateway(hop: Hop) -> None:
    """The line to the hop before; its failure is told to everybody who goes through it."""
    if hop.before is None:
        return
    try:
        gateways.open(hop.before)
    except NodrizaError as error:
        # In the words themselves: a table has room for these only, below the node's name.
        what = f"its gateway {hop.before.word} ({hop.before.login}): {error.what}"
        where = f"{hop.word} ({hop.login})"
        raise type(error)(what, where=where, kept=error.kept, do=error.do) from None


def _failure(hop: Hop, error: BaseException, late: bool, tries: int) -> ConnectionFailed:
    where = f"{hop.word} ({hop.login})"
    do = "see that it runs, that the address in the inventory is right, and that its firewall"
    do = f"{do} lets SSH in"
    what = f"no way to the host: {_words(error)}"
    gateway = hop.before and gateways.at(hop.before)
    if isinstance(error, paramiko.AuthenticationException):
        key = f" with the key {', '.join(hop.keys.files)}" if hop.keys.files else ""
        what = f"the host refuses to let us in{key}: {_words(error)}"
        do = f"ssh -v -p {hop.port} {hop.user}@{hop.host}"
    elif gateway and (broken := gateway.broken(f"gateway {gateway.hop.word}")):
        what = broken
        do = "see that the gateway runs, and type the same command again"
    elif isinstance(error, paramiko.ChannelException) and gateway:
        what, do = _not_passed_on(hop, gateway.hop, error)
    elif hop.command:
        what = f"its ProxyCommand leads nowhere: {_words(error)}"
        do = f"see what this says: {hop.command}"
    elif isinstance(error, NotSsh):
        do = f"see that an sshd listens on port {hop.port}: ssh.port in the inventory, or Port in"
        do = f"{do} ssh_config, may be another program's"
    elif _turned_away(error) and not late:
        what = f"it accepts a connection and closes it without a greeting, {tries + 1} times"
        do = "journalctl -u ssh on it: MaxStartups of its sshd_config, or too many log-ins"
    elif late or isinstance(error, TimeoutError):
        what = f"no way to the host: no answer within {hop.timeout:g} s"
    return ConnectionFailed(what, where=where, kept="nothing was changed on it", do=do)


def _not_passed_on(hop: Hop, before: Hop, error: paramiko.ChannelException) -> tuple[str, str]:
    """What a gateway says that opens no channel to the node behind it (RFC 4254, 5.1)."""
    gateway = f"its gateway {before.word} ({before.login})"
    if error.code == 1:  # administratively prohibited
        return (
            f"{gateway} passes nobody on",
            "AllowTcpForwarding and PermitOpen in the sshd_config of the gateway; a restrict"
            " or no-port-forwarding before our key in its authorized_keys",
        )
    return (
        f"{gateway} can't connect to {hop.host}:{hop.port}: {_words(error)}",
        "see that the node runs, that the address in the inventory is right as the gateway sees"
        " it, and that its firewall lets SSH in from there",
    )


def _words(error: BaseException) -> str:
    """What an exception says; some repeat what the other side has said."""
    if isinstance(error, paramiko.ChannelException):
        return foreign.line(str(error.text))
    return foreign.reason(error)


PARALLEL = 32
