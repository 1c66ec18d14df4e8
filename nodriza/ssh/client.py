"""The only place where an SSH client is made, and it accepts known host keys only.

Fabric's connections accept any key, and make further ones of that kind for a ProxyJump.
``Connection`` is made of a ``Hop`` alone: its client asks ``hostkeys.check`` and nobody else, and
so do the clients of the hops before it. No other module makes a client; a test sees to that.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fabric
import paramiko
from paramiko.agent import AgentSSH

from nodriza import foreign
from nodriza.host.awake import Awake
from nodriza.ssh import hostkeys
from nodriza.ssh.hops import Hop
from nodriza.ssh.login import typed
from nodriza.ssh.proxy_command import Program
from nodriza.ssh.wire import NotSsh, Transport, tcp

# What it logs arrives as exceptions too, and those are told in words.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)

SILENCE = 20  # seconds without a sign of life from the other end
WINDOW = 256 * 1024
"""Bytes that each node behind a gateway may have on the way to us, unread."""
Gateway = Callable[[Hop], "Connection"]
"""An open line to the hop before; it is shared, and stays open when others end."""


class Connection(fabric.Connection):  # type: ignore[misc]
    """A connection to one hop, as Fabric has them, with a client that is ours."""

    def __init__(self, hop: Hop, gateway: Gateway) -> None:
        # Each has a configuration of its own: Fabric writes into it, and threads would read
        # one that is half written. Its own reading of ssh_config is left out.
        super().__init__(
            hop.host,
            user=hop.user,
            port=hop.port,
            config=fabric.Config(ssh_config=paramiko.SSHConfig()),
            forward_agent=hop.forward_agent,
            connect_kwargs=dict(_options(hop)),
        )
        self._set(hop=hop, client=Client(hop), _through=gateway, _before=None)

    def get_gateway(self) -> None:
        """None that Fabric could open: see ``open``."""

    def open(self) -> None:
        """Log in. Raises ``HostKeyError`` for any key but a known one, and what paramiko does."""
        if self.is_connected:
            return
        if self.hop.before is not None:
            self._set(_before=self._through(self.hop.before))
        with _reached(self.hop, self._before) as sock:
            try:
                self.client.connect(
                    self.hop.host, self.hop.port, self.user, sock=sock, **self.connect_kwargs
                )
            except BaseException:
                self.client.close()
                raise
        self.transport = self.client.get_transport()
        _notice_silence(self)

    def broken(self, end: str = "host") -> str:
        """What happened to the line, in words; nothing while it is whole.

        A gateway on the way is named; ``end`` is what is at this line's end.
        """
        for line in self.way:
            transport = line.transport
            # Not get_exception(), which forgets it: others want to know as well.
            cause = transport and transport.saved_exception
            if cause or not transport or not transport.is_active():
                end = end if line is self else f"gateway {line.hop.word}"
                return f"the line to the {end} broke" + (
                    f" ({foreign.reason(cause)})" if cause else ""
                )
        return ""

    @property
    def way(self) -> list[Connection]:
        """The lines that this one goes through, and this one."""
        return [*(self._before.way if self._before else ()), self]


class Client(paramiko.SSHClient):
    """Asks ``hostkeys.check`` for every key, and can't be told otherwise."""

    def __init__(self, hop: Hop) -> None:
        super().__init__()
        self._hop = hop
        self._policy = _Check(hop)
        if hop.keys.agent is not None and (hop.keys.agent or hop.keys.only or hop.rsa_bits):
            self._agent = _Agent(hop, hop.keys.agent)

    def set_missing_host_key_policy(self, policy: object) -> None:
        """Never."""
        raise TypeError(f"the policy of this client can't be changed to {policy}")

    def get_host_keys(self) -> paramiko.HostKeys:
        """None: a key in here would not be looked up in the files, which may revoke it."""
        return paramiko.HostKeys()

    def load_host_keys(self, filename: Any) -> None:
        """Never."""
        raise TypeError(f"host keys are looked up by hostkeys.check, and not in {filename}")

    def load_system_host_keys(self, filename: Any = None) -> None:
        """Never."""
        self.load_host_keys(filename)

    def _key_from_filepath(self, filename: str, klass: Any, password: Any) -> paramiko.PKey:
        """As paramiko does, which passes over what raises this."""
        key: paramiko.PKey = super()._key_from_filepath(filename, klass, password)  # type: ignore[misc]
        if hostkeys.is_short(self._hop, key):
            raise paramiko.SSHException(f"{filename} is shorter than RequiredRSASize")
        return key

    def connect(self, *words: Any, **options: Any) -> None:
        """As paramiko does, asking first for the types of key that are known."""

        def transport(sock: Any, **more: Any) -> paramiko.Transport:
            return _transport(self._hop, sock, **more)

        super().connect(*words, **{**options, "transport_factory": transport})


class _Check(paramiko.MissingHostKeyPolicy):
    """Asked for every key, since the client has no list of its own."""

    def __init__(self, hop: Hop) -> None:
        self.hop = hop

    def missing_host_key(
        self,
        client: paramiko.SSHClient,  # noqa: ARG002
        hostname: str,  # noqa: ARG002
        key: paramiko.PKey,
    ) -> None:
        """Raises ``HostKeyError`` unless the key is known."""
        hostkeys.check(self.hop, key)


class _Agent(paramiko.Agent):
    """An agent at a socket of its own, or some of its keys (IdentityAgent, IdentitiesOnly)."""

    def __init__(self, hop: Hop, path: str) -> None:
        AgentSSH.__init__(self)
        self._hop = hop
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        line.settimeout(SILENCE)
        try:
            line.connect(path or os.environ.get("SSH_AUTH_SOCK", ""))
            self._connect(line)  # type: ignore[attr-defined]
        except OSError:  # no agent, no keys: as for ssh
            line.close()

    def get_keys(self) -> tuple[paramiko.AgentKey, ...]:
        """Those that may be offered."""
        found = (key for key in super().get_keys() if not hostkeys.is_short(self._hop, key))
        only = self._hop.keys.only
        public = {text for name in only for text in _public_keys(name)}
        return tuple(key for key in found if not only or key.get_base64() in public)


def _public_keys(name: str) -> Iterator[str]:
    for path in (f"{name}.pub", name):  # an IdentityFile may be a public key
        with contextlib.suppress(OSError, IndexError):
            yield Path(path).read_text("utf-8", "replace").split()[1]


def fetch_key(hop: Hop, gateway: Gateway) -> paramiko.PKey:
    """The key that a host offers, without logging in; asked for as who knows it would."""
    before = gateway(hop.before) if hop.before else None
    with _reached(hop, before) as sock, contextlib.closing(_transport(hop, sock)) as transport:
        transport.banner_timeout = hop.timeout
        transport.start_client(timeout=hop.timeout)
        return transport.get_remote_server_key()


@contextlib.contextmanager
def _reached(hop: Hop, before: Connection | None) -> Iterator[Any]:
    """The way to where a hop listens; closed when what is done with it fails."""
    sock = _reach(hop, before)
    try:
        yield sock
    except BaseException as error:
        # A refused log-in or key is not the program's doing.
        ended = isinstance(error, (OSError, EOFError, NotSsh))
        ended = ended or type(error) is paramiko.SSHException
        sock.close()
        if isinstance(sock, Program) and ended:
            raise paramiko.SSHException(sock.told(error)) from error
        raise


def _reach(hop: Hop, before: Connection | None) -> Any:
    """A socket, or what is like one, to where the hop listens."""
    if before is not None:
        return _channel(hop, before.transport)
    if hop.command:
        return Program(hop.command, hop.timeout)
    return _dial(hop)


def _channel(hop: Hop, transport: paramiko.Transport, tries: int = 5) -> paramiko.Channel:
    """Of two threads whose channels are refused at the same time, paramiko lets one know why."""
    try:
        return transport.open_channel(
            "direct-tcpip", (hop.host, hop.port), ("", 0), window_size=WINDOW, timeout=hop.timeout
        )
    except paramiko.SSHException as error:
        if str(error) != "Unable to open channel." or not tries or not transport.is_active():
            raise
    time.sleep(random.uniform(0, 0.05))  # noqa: S311
    return _channel(hop, transport, tries - 1)


def _dial(hop: Hop) -> socket.socket:
    """TCP to the first address that answers, as ssh does it."""
    family = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}.get(hop.family, 0)
    failed: OSError | None = None
    for kind, _, _, _, address in socket.getaddrinfo(
        hop.host, hop.port, family, socket.SOCK_STREAM
    ):
        sock = socket.socket(kind, socket.SOCK_STREAM)
        try:
            sock.settimeout(hop.timeout)
            if hop.bind:
                sock.bind((hop.bind, 0))
            sock.connect(address)
        except OSError as error:
            sock.close()
            failed = error
        else:
            return sock
    raise failed or OSError(f"no address of {hop.host}")


def _options(hop: Hop) -> Iterator[tuple[str, Any]]:
    """What ``SSHClient.connect`` of paramiko takes."""
    yield from ((name, hop.timeout) for name in ("timeout", "banner_timeout", "auth_timeout"))
    yield "compress", hop.compress
    yield "key_filename", list(hop.keys.files)
    yield "look_for_keys", hop.keys.defaults
    yield "allow_agent", hop.keys.agent is not None
    yield "password", typed().password
    yield "passphrase", typed().passphrase


def _transport(hop: Hop, sock: Any, **_: Any) -> paramiko.Transport:
    """With the algorithms that ssh_config leaves, those of known keys first."""
    others = {}
    for kind, names in hop.algorithms:
        own = getattr(paramiko.Transport, f"_preferred_{kind}")
        others[kind] = [name for name in own if name not in names]
        if len(others[kind]) == len(own):
            raise paramiko.SSHException(f"ssh_config leaves no {kind} that are possible here")
    transport = Transport(sock, disabled_algorithms=others)
    options = transport.get_security_options()
    known = {old.key.get_name() for old in hostkeys.known(hop)}
    options.key_types = sorted(options.key_types, key=lambda kind: not _is_one(kind, known))
    return transport


def _is_one(offered: str, known: set[str]) -> bool:
    # One RSA key serves several signature algorithms.
    return ("ssh-rsa" if offered.startswith("rsa-sha2-") else offered) in known


def _notice_silence(line: Connection) -> None:
    """A host that vanished (power, cable, sleep) or froze is missed within half a minute."""
    transport = line.transport
    if sock := tcp(transport):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENCE * 1000)  # tcp(7)
    watch = threading.Thread(
        target=_watch, args=(transport, max(SILENCE, line.hop.timeout)), daemon=True
    )
    watch.start()


def _watch(transport: paramiko.Transport, patience: float) -> None:
    """Close the line when the other end leaves a question without an answer.

    As ServerAliveInterval of ssh_config(5) does; paramiko's own keepalive wants no answer, and
    behind a gateway the kernel at the other end of the TCP connection is not the node's.
    """
    while True:
        time.sleep(SILENCE / 3)
        if not transport.is_active():
            return
        answered = threading.Event()
        threading.Thread(
            target=_close_without, args=(answered, transport, patience), daemon=True
        ).start()
        with contextlib.suppress(Exception):
            transport.global_request("keepalive@openssh.com", wait=True)
        answered.set()


def _close_without(
    answered: threading.Event, transport: paramiko.Transport, patience: float
) -> None:
    clock = Awake()
    while not answered.wait(0.5):
        if clock.seconds() > patience:
            transport.close()
            return
