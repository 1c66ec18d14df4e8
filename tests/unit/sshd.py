"""A real SSH server on one end of a socket pair, which runs what it is told to, here."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import paramiko

KEY = paramiko.ECDSAKey.generate()
OVER = (OSError, EOFError, ValueError, paramiko.SSHException)  # the other end has gone


@dataclass
class Sshd(paramiko.ServerInterface):
    """``commands`` are those that came; each is run by ``sh``, with ``env`` added.

    ``signs``: global requests, of which a keep-alive is one. ``stand_ins``: path of a program
    to that of another one, which is run instead. ``login``: what the user's shell does first.
    """

    env: dict[str, str] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    signs: list[str] = field(default_factory=list)
    stand_ins: dict[str, str] = field(default_factory=dict)
    login: str = ""
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def get_allowed_auths(self, username: str) -> str:
        return "none"

    def check_auth_none(self, username: str) -> int:
        return paramiko.AUTH_SUCCESSFUL

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        return paramiko.AUTH_SUCCESSFUL

    def check_global_request(self, kind: str, msg: paramiko.Message) -> bool:
        self.signs.append(kind)
        return False

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        words = command.decode()
        self.commands.append(words)
        for path, other in self.stand_ins.items():
            words = words.replace(path, other)
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            ["sh", "-c", f"{self.login}\n{words}" if self.login else words],
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env={**os.environ, **self.env},
            start_new_session=True,
        )
        self.processes.append(process)
        errors = threading.Thread(target=_err, args=(channel, process), daemon=True)
        into = threading.Thread(target=_in, args=(channel, process), daemon=True)
        out = threading.Thread(target=_out, args=(channel, process, errors), daemon=True)
        for thread in (errors, into, out):
            thread.start()
            self.threads.append(thread)
        return True

    def end(self) -> None:
        """Nothing that was started is left."""
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for thread in self.threads:
            thread.join(5)
        for process in self.processes:
            for stream in (process.stdin, process.stdout, process.stderr):
                with contextlib.suppress(OSError):
                    stream.close()


def _in(channel: paramiko.Channel, process: Any) -> None:
    with contextlib.suppress(*OVER), process.stdin:
        while data := channel.recv(65536):
            process.stdin.write(data)
            process.stdin.flush()


def _out(channel: paramiko.Channel, process: Any, errors: threading.Thread) -> None:
    time.sleep(0.05)  # the answer to the request itself comes first
    with contextlib.suppress(*OVER):
        while data := process.stdout.read1(65536):
            channel.sendall(data)
        errors.join(5)
        status = process.wait()
        if status >= 0:  # a signal's has no number (RFC 4254, 6.10)
            channel.send_exit_status(status)
        channel.close()


def _err(channel: paramiko.Channel, process: Any) -> None:
    with contextlib.suppress(*OVER):
        while data := process.stderr.read1(65536):
            channel.sendall_stderr(data)


@contextlib.contextmanager
def logged_in(sshd: Sshd, user: str = "root") -> Iterator[Any]:
    """What ``nodriza.ssh.channel`` needs of a Fabric connection."""
    ours, theirs = socket.socketpair()
    server, client = paramiko.Transport(theirs), paramiko.Transport(ours)
    server.add_server_key(KEY)
    server.start_server(event=threading.Event(), server=sshd)
    try:
        client.start_client(timeout=10)
        client.auth_none(user)
        yield SimpleNamespace(
            user=user,
            host="198.18.7.12",
            connect_kwargs={"timeout": 10},
            transport=client,
            client=client,
            broken=lambda: "",
        )
    finally:
        for each in (client, server):
            each.close()
        sshd.end()


@contextlib.contextmanager
def listening(sshd: Sshd) -> Iterator[int]:
    """On a port of this computer, for one connection."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        servers: list[paramiko.Transport] = []

        def serve() -> None:
            with contextlib.suppress(*OVER):
                line, _ = door.accept()
                servers.append(paramiko.Transport(line))
                servers[0].add_server_key(KEY)
                servers[0].start_server(event=threading.Event(), server=sshd)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield door.getsockname()[1]
        finally:
            for server in servers:
                server.close()
            with contextlib.suppress(OSError):
                door.shutdown(socket.SHUT_RDWR)
            thread.join(5)
            sshd.end()
