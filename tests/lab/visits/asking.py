"""One visitor on the wire: bytes go out as they are written, an answer comes back whole."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from dataclasses import dataclass, field

from nodriza.lab import network

PATIENCE = 30
"""Seconds for an answer."""


@dataclass(frozen=True)
class Answer:
    """Status 0: there was none, and ``body`` says why."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def all(self, name: str) -> list[str]:
        """Every value of a header, in the order that they came."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


@dataclass
class Client:
    """An HTTP client at ``source``, an address in the lab's network ``netns``; it asks a child."""

    address: str
    netns: str
    source: str = ""
    port: int = 80
    sockets: list[socket.socket] = field(default_factory=list)

    def open(self, timeout: float = PATIENCE) -> socket.socket:
        """A connection, closed with the others by ``close``."""
        source = (self.source, 0) if self.source else None
        place = (self.address, self.port)
        made = network.inside(
            self.netns, lambda: socket.create_connection(place, timeout, source_address=source)
        )
        self.sockets.append(made)
        return made

    def ask(self, request: bytes, method: str = "GET") -> Answer:
        """Send the bytes on a connection of their own; the answer, read as ``method``'s."""
        try:
            with self.open() as sock:
                # Refused before all of it was seen; the answer may be there.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    sock.sendall(request)
                return receive(sock, method)
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, body=f"{type(error).__name__}: {error}".encode())

    def close(self) -> None:
        """Hang up everywhere."""
        while self.sockets:
            self.sockets.pop().close()


def receive(sock: socket.socket, method: str = "GET") -> Answer:
    """The next answer on a connection; interim ones (100) are passed over."""
    response = http.client.HTTPResponse(sock, method=method)
    response.begin()
    body = response.read()
    return Answer(response.status, tuple(response.getheaders()), body)


def request(
    path: str | bytes,
    method: str = "GET",
    host: str = "videoteca.test",
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
    version: str = "1.1",
) -> bytes:
    """A request of one connection. The path goes out as it is."""
    path = path.encode() if isinstance(path, str) else path
    lines = {"Host": host, "Connection": "close", **(headers or {})}
    if body is not None and "Transfer-Encoding" not in lines:
        lines.setdefault("Content-Length", str(len(body)))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    start = method.encode() + b" " + path + f" HTTP/{version}\r\n".encode()
    return start + head.encode() + b"\r\n" + (body or b"")


def chunked(body: bytes, size: int = 1000) -> bytes:
    """A body in chunks, as who does not know its length beforehand sends it."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in [*parts, b""])


def opened(client: Client, number: int, first: bytes) -> int:
    """How many connections are open a moment after each has sent its first bytes."""
    for _ in range(number):
        with contextlib.suppress(OSError):
            client.open(timeout=5).sendall(first)
    time.sleep(0.5)
    return sum(map(is_open, client.sockets))


def is_open(sock: socket.socket) -> bool:
    try:
        sock.setblocking(False)
        return sock.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False
