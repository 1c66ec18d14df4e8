"""One shell command on many nodes side by side, its lines as they come.

It ends with us: when the operator says stop, or the line breaks, or this computer sleeps,
the command on the host is told to end as well.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shlex
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import paramiko

from nodriza import alive, foreign
from nodriza.errors import ConnectionFailed, NodrizaError
from nodriza.ssh.channel import ends_within, sudo_words, text_lines
from nodriza.ssh.client import Connection
from nodriza.ssh.connection import PARALLEL, connect
from nodriza.ssh.script import Script

if TYPE_CHECKING:
    from nodriza.inventory import Cluster


KIND = 10  # seconds that a host has to end a command that was stopped here
MANY = 200
"""Lines, each of up to 64 kB, that wait to be read here. Hosts wait when it is full."""

# What a command reads comes in parts, each after a line with its size, and a line that says that
# it was the last: so the end of the stream itself can go on meaning "stop". setsid(1) makes the
# command and all that it starts one group, which can be told at once; if it is told before it is
# one, the group is told again. head(1) reads no byte more than its part has. bash(1), for a
# process that is read from (<(…)). The command is an ordinary job, and not that process: bash
# has been seen to wait for ever for one of those. All by whole paths, and -p: what a login's
# PATH, BASH_ENV and functions say is for the command alone.
GUARD = """exec /bin/bash --norc -p -c '
child= stopped=
all() { kill -TERM -- -$child; }
end() { stopped=1; all || { kill -TERM $child; all; }; } 2>/dev/null
trap end USR1
exec 3<&0 4< <(
    while read -r word size; do
        case $word in
            nodriza-data) /usr/bin/head -c "$size" || break ;;
            nodriza-end) break ;;
        esac
    done <&3 2>/dev/null
    exec 1>&-
    /bin/cat <&3 >/dev/null 2>&1
    kill -USR1 $$ 2>/dev/null
)
feeder=$!
/usr/bin/setsid /bin/sh -c "$1" <&4 3<&- 4<&- &
child=$!
exec 3<&- 4<&-
[ "$stopped" ] && end
wait $child
status=$?
while [ "$stopped" ]; do stopped=; wait $child; status=$?; done
kill $feeder 2>/dev/null
exit $status
' bash "$1"
"""
DATA = "nodriza-data {}\n"
END = b"nodriza-end\n"
PART = 65536  # bytes


@dataclass
class Ended:
    """What came of the command on one node; ``exit`` is -1 when nobody knows."""

    exit: int = -1
    seconds: float = 0.0
    error: NodrizaError | None = None


class Kept:
    """Lines that are shown at the end: the first 16 million characters, and how many more."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._room = 16_000_000
        self._more = 0

    def add(self, line: str) -> None:
        """One more, if there is room."""
        self._room -= len(line) + 50  # what a string takes besides
        if self._room > 0:
            self._lines.append(line)
        else:
            self._more += 1

    @property
    def lines(self) -> list[str]:
        """All that was kept."""
        return [*self._lines, *([f"[… {self._more} lines left out …]"] if self._more else [])]


class Everywhere:
    """A run of ``commands`` (node to shell command); ``ended`` fills while ``lines`` goes on.

    ``stdin``: the number of an open file that the command reads, for one node; the others
    have nothing to read. ``deadline``: seconds that each node has. ``waits_for``: what a
    person who waits is told, where silence is nothing unusual.
    """

    early = False
    """Whether a terminal shows from the first second on what is waited for."""

    def __init__(
        self,
        cluster: Cluster,
        commands: Mapping[str, str],
        *,
        sudo: bool = False,
        sudo_password: str | None = None,
        parallel: int = PARALLEL,
        stdin: int | None = None,
        deadline: float | None = None,
        waits_for: str = "",
    ) -> None:
        self.cluster = cluster
        self.commands = commands
        self.sudo = sudo
        self.sudo_password = sudo_password
        self.parallel = parallel
        self.stdin = stdin
        self.deadline = deadline
        self.waits_for = waits_for
        self.ended: dict[str, Ended] = {}
        self.stopped = threading.Event()
        self.stopped_by_hand = False
        self._queue: queue.Queue[tuple[str, str | Ended]] = queue.Queue(maxsize=MANY)

    def lines(self, tick: float | None = None) -> Iterator[tuple[str, str] | None]:
        """(node, line), stderr among them, until all have ended; ``None`` every ``tick``
        seconds in which nothing was said.

        The first Ctrl-C ends the commands, the second goes through.
        """
        pool = ThreadPoolExecutor(min(self.parallel, len(self.commands)))
        try:
            for name in self.commands:
                pool.submit(self._node, name)
            with alive.waiting(self._waiting, early=self.early, once=bool(self.waits_for)):
                yield from self._heard(tick)
        finally:
            self.stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)

    def _heard(self, tick: float | None) -> Iterator[tuple[str, str] | None]:
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

    def _waiting(self) -> str:
        going = [name for name in self.commands if name not in self.ended]
        ended = f"{len(self.ended)} of {len(self.commands)} nodes have ended"
        return self.waits_for or f"{ended}; still at work: {alive.names(going)}"

    def _node(self, name: str) -> None:
        """One node, in a thread of the pool."""
        began = time.monotonic()
        end = Ended()
        try:
            if not self.stopped.is_set():
                with connect(self.cluster.node(name), self.cluster) as connection:
                    end.exit = self._within(name, connection)
        except NodrizaError as error:
            end.error = error
        except Exception as error:  # noqa: BLE001  one node must never hide the others
            end.error = ConnectionFailed(
                f"the line to the host broke: {foreign.reason(error)}", where=name
            )
        end.seconds = time.monotonic() - began
        self._queue.put((name, end))

    def _within(self, name: str, connection: Connection) -> int:
        with ends_within(connection, self.deadline) as late:
            try:
                return self._command(name, connection)
            except (OSError, EOFError, paramiko.SSHException) as error:
                words = connection.broken() or f"the line broke: {foreign.reason(error)}"
                raise ConnectionFailed(words, where=name) from None
            finally:
                if late.is_set():
                    raise ConnectionFailed(  # whatever the closed line was taken for
                        f"no end within {self.deadline:.0f} s",
                        where=name,
                        do=f"its load, and what it says: fab console {name}",
                    )

    def _command(self, name: str, connection: Connection) -> int:
        script = self._begin(name, connection)
        began = script.wait()
        if began:
            threading.Thread(target=self._feed, args=(script.channel,), daemon=True).start()
            self._heard_of(name, script)
        status: int = script.channel.recv_exit_status()
        if status == -1 and not self.stopped.is_set():
            raise ConnectionFailed(
                connection.broken() or "the command was killed",
                where=name,
                do=f"see what it left: fab console {name}",
            )
        if not began and not self.stopped.is_set():
            raise script.never_began()
        return status if began else -1

    def _begin(self, name: str, connection: Connection) -> Script:
        password = self.sudo_password if self.sudo else None
        sudo = sudo_words(connection.user, password) if self.sudo else ""
        text = f"set -- {shlex.quote(self.commands[name])}\n{GUARD}"
        script = Script(connection, text, sudo)
        if sudo and password is not None:
            script.channel.sendall(f"{password}\n".encode())
        threading.Thread(target=self._end_with_us, args=(script.channel,), daemon=True).start()
        return script

    def _heard_of(self, name: str, script: Script) -> None:
        """What the command says, until it says no more."""
        script.channel.set_combine_stderr(True)
        for line in text_lines(script.recv):
            self._queue.put((name, line))

    def _feed(self, channel: paramiko.Channel) -> None:
        """What the command reads; it may end before it has read all."""
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            for part in self._parts():
                channel.sendall(DATA.format(len(part)).encode() + part)
            channel.sendall(END)

    def _parts(self) -> Iterator[bytes]:
        """What the command reads. Where this raises ``EOFError``, the command is never told that
        it has all.
        """
        # Not with Python's buffer: a thread that waits in it can't be left behind.
        while self.stdin is not None and (part := os.read(self.stdin, PART)):
            yield part

    def _end_with_us(self, channel: paramiko.Channel) -> None:
        while not (self.stopped.wait(0.2) or channel.closed):
            pass
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            channel.shutdown_write()
        until = time.monotonic() + KIND
        while not channel.closed and time.monotonic() < until:
            time.sleep(0.1)
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            channel.close()  # a host that does not end is not waited for
