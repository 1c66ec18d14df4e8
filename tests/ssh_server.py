"""Real SSH servers on this computer: nodes, and gateways that pass others on."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import paramiko


@dataclass
class Server(paramiko.ServerInterface):
    """One SSH server on 127.0.0.1; whoever comes is let in, and everything is counted."""

    key: paramiko.PKey = field(default_factory=paramiko.ECDSAKey.generate)
    turns_away: int = 0
    """So many of the first guests, as sshd does beyond its MaxStartups."""
    passes_on: bool = True
    seen: list[str] = field(default_factory=list)
    """One word for each: guest, log-in, channel, command."""

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.guests: list[paramiko.Transport] = []
        self._asked: dict[tuple[paramiko.Transport, int], socket.socket] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def name(self) -> str:
        """As known_hosts files write it."""
        return f"[127.0.0.1]:{self.port}"

    def line(self, key: paramiko.PKey | None = None) -> str:
        """Its line in a known_hosts file."""
        key = key or self.key
        return f"{self.name} {key.get_name()} {key.get_base64()}\n"

    def close(self) -> None:
        """As when it is switched off."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for guest in self.guests:
            guest.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                guest, _ = self._listener.accept()
                self.seen.append("guest")
                if self.seen.count("guest") <= self.turns_away:
                    guest.sendall(b"Exceeded MaxStartups\r\n")
                    guest.close()
                    continue
                transport = paramiko.Transport(guest)
                transport.add_server_key(self.key)
                self.guests.append(transport)
                with contextlib.suppress(paramiko.SSHException, EOFError):
                    transport.start_server(event=threading.Event(), server=self)

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self.seen.append(f"log-in of {username}")
        return paramiko.AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self.seen.append(f"command {command.decode()}")
        threading.Thread(target=self._answer, args=(channel,), daemon=True).start()
        return True

    def _answer(self, channel: paramiko.Channel) -> None:
        time.sleep(0.05)  # first comes the reply to the request
        channel.sendall(b"done\n")
        channel.send_exit_status(0)
        channel.close()

    def check_channel_direct_tcpip_request(
        self,
        chanid: int,
        origin: tuple[str, int],
        destination: tuple[str, int],
    ) -> int:
        if not self.passes_on:
            return paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        try:
            there = socket.create_connection(destination, 5)
        except OSError:
            return paramiko.OPEN_FAILED_CONNECT_FAILED
        self.seen.append(f"channel to {destination[1]}")
        guest = cast("paramiko.Transport", threading.current_thread())
        self._asked[guest, chanid] = there
        threading.Thread(target=self._pass_on, args=(guest,), daemon=True).start()
        return paramiko.OPEN_SUCCEEDED

    def _pass_on(self, guest: paramiko.Transport) -> None:
        channel = None
        while channel is None and guest.is_active():  # another thread may be faster
            channel = guest.accept(0.2)
        if channel is not None:
            # Maybe another than the one that this thread was begun for.
            there = self._asked.pop((guest, channel.get_id()))
            threading.Thread(target=_copy, args=(there, channel), daemon=True).start()
            _copy(channel, there)


def _copy(source: Any, sink: Any) -> None:
    with contextlib.suppress(OSError, EOFError):
        while data := source.recv(65536):
            sink.sendall(data)
    for end in (source, sink):
        with contextlib.suppress(OSError, EOFError):
            end.close()


@contextlib.contextmanager
def servers(number: int, **options: Any) -> Iterator[list[Server]]:
    """So many, until the end."""
    made = [Server(**options) for _ in range(number)]
    try:
        yield made
    finally:
        for server in made:
            server.close()
