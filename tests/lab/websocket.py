"""A websocket's client, as little of RFC 6455 as the tests need."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import struct
from dataclasses import dataclass
from typing import Any

from nodriza.lab import network

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Closed(Exception):
    """The server has closed the websocket, with this code; 1006 stands for "without a word"."""

    def __init__(self, code: int) -> None:
        super().__init__(f"closed with {code}")
        self.code = code


@dataclass
class WebSocket:
    """One that is open."""

    sock: socket.socket

    def send(self, message: Any) -> None:
        """As JSON, in one frame."""
        self._frame(TEXT, json.dumps(message).encode())

    def receive(self, timeout: float = 20) -> Any:
        """The next message; ``Closed`` where there is none any more."""
        self.sock.settimeout(timeout)
        while True:
            kind, data = self._next()
            if kind == TEXT:
                return json.loads(data)
            if kind == PING:
                self._frame(PONG, data)
            if kind == CLOSE:
                with contextlib.suppress(OSError):  # it has not waited for that
                    self._frame(CLOSE, data)
                raise Closed(struct.unpack(">H", data[:2])[0] if data else 1005)

    def close(self) -> None:
        """Without a word."""
        self.sock.close()

    def _frame(self, kind: int, data: bytes) -> None:
        assert len(data) < 126
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
        self.sock.sendall(bytes([0x80 | kind, 0x80 | len(data)]) + mask + masked)

    def _next(self) -> tuple[int, bytes]:
        first, size = self._read(2)
        if size == 126:
            (size,) = struct.unpack(">H", self._read(2))
        return first & 15, self._read(size)

    def _read(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            part = self.sock.recv(size - len(found))
            if not part:
                raise Closed(1006)
            found += part
        return found


def connect(netns: str, address: str, host: str, path: str) -> WebSocket:
    """Through the web server of a child; ``AssertionError`` with its answer if it is another."""
    sock = network.inside(netns, lambda: socket.create_connection((address, 80), 20))
    key = base64.b64encode(os.urandom(16)).decode()
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        f"Origin: http://{host}",
        "Connection: keep-alive, Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
    )
    sock.sendall("\r\n".join([*lines, "", ""]).encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        part = sock.recv(1)
        assert part, answer
        answer += part
    assert answer.startswith(b"HTTP/1.1 101 "), answer
    return WebSocket(sock)
