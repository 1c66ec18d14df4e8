"""A host that vanished (power, cable, sleep) is missed; nobody waits for it for ever."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import paramiko
import pytest

from nodriza.errors import ConnectionFailed
from nodriza.inventory import Cluster, Node
from nodriza.ssh import client, hops
from nodriza.ssh.connection import connect
from tests.unit.sshd import KEY, Sshd, listening


@pytest.fixture
def sshd() -> Sshd:
    return Sshd()


@pytest.fixture
def node(sshd: Sshd, three_node: Cluster, tmp_path: Path, monkeypatch: Any) -> Iterator[Node]:
    """One that is known, and lets us in."""
    monkeypatch.setenv("HOME", str(tmp_path))
    paramiko.RSAKey.generate(2048).write_private_key_file(str(tmp_path / "key"))
    with listening(sshd) as port:
        pinned = tmp_path / "known_hosts"
        pinned.write_text(f"[127.0.0.1]:{port} {KEY.get_name()} {KEY.get_base64()}\n")
        here = {"host": "127.0.0.1", "port": port, "key": tmp_path / "key", "known_hosts": pinned}
        node = three_node.node("server-2")
        yield node.model_copy(update={"ssh": node.ssh.model_copy(update=here)})


def test_open_connection__is_tried_all_the_time(sshd, node, three_node, monkeypatch):
    """Where nothing is said for minutes (apt at work), the silence alone would not show it."""
    monkeypatch.setattr(client, "SILENCE", 3)
    with connect(node, three_node):
        end = time.monotonic() + 10
        while not sshd.signs:
            assert time.monotonic() < end
            time.sleep(0.05)
    assert sshd.signs[0] == "keepalive@openssh.com"


def test_controller_that_stood_still__reads_the_answer_before_it_gives_up(monkeypatch):
    """As a laptop's virtual machine after a snapshot: the answer lies there unread."""
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + jump)
    monkeypatch.setattr("nodriza.host.awake.time", clock)
    jump = 0
    closed: list[bool] = []
    answered = threading.Event()
    transport: Any = SimpleNamespace(close=lambda: closed.append(True))
    waits = threading.Thread(target=client._close_without, args=(answered, transport, 30))
    waits.start()
    time.sleep(0.7)
    jump = 600
    time.sleep(0.7)
    answered.set()
    waits.join(5)
    assert not closed


def test_open_connection__ends_when_its_host_takes_nothing_any_more(node, three_node):
    """tcp(7): without it the kernel sends again for a quarter of an hour."""
    with connect(node, three_node) as line:
        sock = line.transport.sock
        seconds = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) / 1000
        assert 0 < seconds <= 30


@pytest.mark.parametrize("says", [b"", b"SSH-2.0-then_nothing\r\n"], ids=["nothing", "a banner"])
def test_listener_that_falls_silent__is_given_up(node, three_node, monkeypatch, says):
    monkeypatch.setattr(hops, "CONNECT_TIMEOUT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as door:
        here = {"port": door.getsockname()[1]}
        node = node.model_copy(update={"ssh": node.ssh.model_copy(update=here)})
        began = time.monotonic()
        door.settimeout(5)
        guests: list[socket.socket] = []

        def answer() -> None:
            guest, _ = door.accept()
            guest.sendall(says)
            guests.append(guest)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ConnectionFailed) as failed:
            connect(node, three_node)
        thread.join()
    assert time.monotonic() - began < 8
    assert failed.value.kept == "nothing was changed on it"
    guests[0].close()
