"""A way in: a Fabric connection to a node, opened, or an error that says what to do.

Fabric reads ssh_config, keys, agents and gateways as its users expect; only the host-key
policy is ours, since Fabric's own adds unknown keys without a word.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import fabric
import paramiko

from nodriza import foreign
from nodriza.errors import ConnectionFailed
from nodriza.hostkeys import changed, trust
from nodriza.login import typed
from nodriza.wire import Transport, tcp

if TYPE_CHECKING:
    from pathlib import Path

    from nodriza.inventory import Cluster, Node

# What it logs arrives as exceptions too, and those are told in words.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)

SILENCE = 20  # seconds without a sign of life from the host's kernel
CONNECT_TIMEOUT = 10  # seconds; for the TCP connection, the banner and the log-in each


class Connections:
    """Connections of one run: those that were begun ahead, and others once they are asked for.

    An open connection changes nothing on a host; a run that is never to be ends with those
    that nobody took being closed.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._begun: dict[str, Future[fabric.Connection]] = {}

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

    def take(self, node: Node) -> fabric.Connection:
        """The one that was begun, or one that is opened now; it fails as ``connect`` does."""
        way = self._begun.pop(node.name, None)
        return way.result() if way else connect(node, self.cluster)

    def _open(self, node: Node, way: Future[fabric.Connection]) -> None:
        try:
            way.set_result(connect(node, self.cluster))
        except BaseException as error:  # noqa: BLE001  whoever takes it is told
            way.set_exception(error)


def _close(way: Future[fabric.Connection]) -> None:
    if way.exception() is None:
        way.result().close()


def connect(node: Node, cluster: Cluster) -> fabric.Connection:
    """An open connection. Raises ``ConnectionFailed`` or ``HostKeyError``."""
    connection = unopened(node, cluster)
    if isinstance(connection.gateway, fabric.Connection):  # and no command
        trust(connection.gateway, node, cluster)
    trust(connection, node, cluster)
    where = f"{node.name} ({connection.user}@{connection.host}:{connection.port})"
    try:
        connection.open()
    except paramiko.AuthenticationException as error:
        keys = ", ".join(connection.connect_kwargs.get("key_filename", ()))
        key = f" with the key {keys}" if keys else ""
        raise ConnectionFailed(
            f"the host refuses to let us in{key}: {foreign.reason(error)}",
            where=where,
            kept="nothing was changed on it",
            do=f"ssh -v -p {connection.port} {connection.user}@{connection.host}",
        ) from error
    except paramiko.BadHostKeyException as error:
        raise changed(error, node, cluster) from None
    except (TimeoutError, OSError, EOFError, paramiko.SSHException) as error:
        raise ConnectionFailed(
            f"no way to the host: {_words(error, connection.connect_kwargs['timeout'])}",
            where=where,
            kept="nothing was changed on it",
            do="see that it runs, that the address in the inventory is right, and that its"
            " firewall lets SSH in",
        ) from error
    finally:
        if not connection.is_connected:
            connection.client.close()  # or paramiko's thread goes on reading from a stranger
    _notice_silence(connection)
    return connection


def _notice_silence(connection: fabric.Connection) -> None:
    """A host that vanished (power, cable, sleep) is missed within ``SILENCE`` seconds."""
    connection.transport.set_keepalive(SILENCE // 3)
    if sock := tcp(connection.transport):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE * 1000)  # tcp(7)


def unopened(node: Node, cluster: Cluster) -> fabric.Connection:
    """The way to a node, before anybody goes it.

    Each has a configuration of its own: Fabric writes into it, and threads would read one
    that is half written.
    """
    return fabric.Connection(
        host=node.ssh.host or node.private,
        user=node.ssh.user,
        port=node.ssh.port,
        gateway=_gateway(node, cluster),
        config=_config(),
        connect_kwargs=_options(cluster, node.ssh.key),
    )


def _config() -> fabric.Config | None:
    """With the ssh_config that was typed; else the user's and the system's, as Fabric has it."""
    path = typed().ssh_config
    return fabric.Config(runtime_ssh_path=path) if path else None


def _options(cluster: Cluster, key: Path | None) -> dict[str, Any]:
    """What paramiko's ``SSHClient.connect`` takes; what was typed is stronger."""
    login = typed()
    seconds = login.patience or (
        cluster.lab_overlay.patience if cluster.lab_overlay else CONNECT_TIMEOUT
    )
    options: dict[str, Any] = dict.fromkeys(("timeout", "banner_timeout", "auth_timeout"), seconds)
    options["transport_factory"] = Transport
    if keys := [*login.identities] or ([str(key)] if key else []):
        # These keys and no others: each one that an agent offers costs a round trip, and
        # some hosts shut the door after a few.
        options.update(key_filename=keys, look_for_keys=False, allow_agent=False)
    if login.password is not None:
        options["password"] = login.password
    if login.passphrase is not None:
        options["passphrase"] = login.passphrase
    return options


def _gateway(node: Node, cluster: Cluster) -> fabric.Connection | None:
    name = node.ssh.gateway
    if name is None:
        return None
    for other in cluster.nodes:
        if other.name == name:
            return unopened(other, cluster)
    return fabric.Connection(name, config=_config(), connect_kwargs=_options(cluster, None))


def _words(error: BaseException, seconds: float) -> str:
    if isinstance(error, (TimeoutError, socket.timeout)):
        return f"no answer within {seconds:g} s"
    inner = getattr(error, "errors", None)  # paramiko's NoValidConnectionsError
    if inner:
        return foreign.reason(next(iter(inner.values())))
    return foreign.reason(error)
