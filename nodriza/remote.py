"""One shell command on many nodes side by side, its lines as they come.

It ends with us: when the operator says stop, or the line breaks, or this computer sleeps,
the command on the host is told to end as well.
"""

from __future__ import annotations

import codecs
import contextlib
import queue
import shlex
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import paramiko

from nodriza.channel import begin, sudo_words
from nodriza.connection import connect
from nodriza.errors import ConnectionFailed, NodrizaError
from nodriza.rollout import PARALLEL

if TYPE_CHECKING:
    from nodriza.inventory import Cluster

LONGEST = 65536  # characters of a line; a program may never end one

# stdin stays open and silent; its end means "stop". setsid(1) makes the command and all that
# it starts one group, which can be told at once.
GUARD = """exec 3<&0
setsid sh -c "$1" </dev/null 3<&- &
child=$!
{ cat <&3; kill -TERM -$child; } >/dev/null 2>&1 &
guard=$!
wait $child
status=$?
kill $guard 2>/dev/null
exit $status"""


@dataclass
class Ended:
    """What came of the command on one node; ``exit`` is -1 when nobody knows."""

    exit: int = -1
    seconds: float = 0.0
    error: NodrizaError | None = None


class Everywhere:
    """A run of ``commands`` (node to shell command); ``ended`` fills while ``lines`` goes on."""

    def __init__(
        self,
        cluster: Cluster,
        commands: Mapping[str, str],
        *,
        sudo: bool = False,
        sudo_password: str | None = None,
        parallel: int = PARALLEL,
    ) -> None:
        self.cluster = cluster
        self.commands = commands
        self.sudo = sudo
        self.sudo_password = sudo_password
        self.parallel = parallel
        self.ended: dict[str, Ended] = {}
        self.stopped = threading.Event()
        self.stopped_by_hand = False
        self._queue: queue.Queue[tuple[str, str | Ended]] = queue.Queue(maxsize=10_000)

    def lines(self, tick: float | None = None) -> Iterator[tuple[str, str] | None]:
        """(node, line), stderr among them, until all have ended; ``None`` every ``tick``
        seconds in which nothing was said.

        The first Ctrl-C ends the commands, the second goes through.
        """
        pool = ThreadPoolExecutor(min(self.parallel, len(self.commands)))
        try:
            for name in self.commands:
                pool.submit(self._node, name)
            while len(self.ended) < len(self.commands):
                try:
                    name, said = self._queue.get(timeout=tick)
                except queue.Empty:
                    yield None
                except KeyboardInterrupt:
                    if self.stopped.is_set():
                        raise
                    self.stopped_by_hand = True
                    self.stopped.set()
                else:
                    if isinstance(said, Ended):
                        self.ended[name] = said
                    else:
                        yield name, said
        finally:
            self.stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)

    def _node(self, name: str) -> None:
        """One node, in a thread of the pool."""
        began = time.monotonic()
        end = Ended()
        try:
            if not self.stopped.is_set():
                with connect(self.cluster.node(name), self.cluster) as connection:
                    end.exit = self._command(name, connection)
        except NodrizaError as error:
            end.error = error
        except (OSError, EOFError, paramiko.SSHException) as error:
            end.error = ConnectionFailed(f"the line to the host broke: {error}", where=name)
        end.seconds = time.monotonic() - began
        self._queue.put((name, end))

    def _command(self, name: str, connection: Any) -> int:
        password = self.sudo_password if self.sudo else None
        sudo = sudo_words(connection.user, password) if self.sudo else ""
        words = f"{sudo} sh -c {shlex.quote(GUARD)} sh {shlex.quote(self.commands[name])}"
        channel = begin(connection, words.strip())
        channel.settimeout(None)  # it may be silent for days
        channel.set_combine_stderr(True)
        if sudo and password is not None:
            channel.sendall(f"{password}\n".encode())
        threading.Thread(target=self._end_with_us, args=(channel,), daemon=True).start()
        for line in _lines(channel):
            self._queue.put((name, line))
        status: int = channel.recv_exit_status()
        if status == -1 and not self.stopped.is_set():
            raise ConnectionFailed(
                "the line to the host broke, or the command was killed",
                where=name,
                do=f"see what it left: fab console {name}",
            )
        return status

    def _end_with_us(self, channel: paramiko.Channel) -> None:
        while not (self.stopped.wait(0.2) or channel.closed):
            pass
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            channel.shutdown_write()


def _lines(channel: paramiko.Channel) -> Iterator[str]:
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    waiting = ""
    while data := channel.recv(65536):
        *lines, waiting = (waiting + decode(data)).split("\n")
        yield from lines
        if len(waiting) > LONGEST:
            yield waiting
            waiting = ""
    if waiting:
        yield waiting
