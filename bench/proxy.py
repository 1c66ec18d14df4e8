"""A TCP proxy that is as far away as one is told, for kernels without netem.

Every byte arrives half a round trip after it was sent, however many there are: the way is
long, not narrow. A connection costs a round trip before the first byte can arrive, as its
handshake (SYN, SYN-ACK) does. Acknowledgements and windows stay the kernel's own business,
on the short ways to either side.

::

    python -m bench.proxy --rtt 50 127.0.87.12:22=198.18.87.12:22 …

It says ``ready`` when it listens, and at SIGTERM what went through: one JSON object with
the number of connections and the bytes to and from the hosts.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections import Counter
from collections.abc import Sequence

BLOCK = 1 << 16
Chunks = asyncio.Queue[tuple[float, bytes]]
"""What is on the way, with the time at which it is there."""


class Proxy:
    """Ways to hosts, each ``rtt`` seconds there and back."""

    def __init__(self, rtt: float) -> None:
        self.rtt = rtt
        self.count: Counter[str] = Counter(connections=0, to_hosts=0, from_hosts=0)
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, near: tuple[str, int], host: tuple[str, int]) -> int:
        """Listen at ``near`` for what is meant for ``host``; returns the port."""

        async def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._connection(reader, writer, host)
            self._tasks.discard(task)
            writer.close()

        server = await asyncio.start_server(taken, *near, limit=BLOCK, backlog=1024)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Hang up everywhere."""
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: tuple[str, int]
    ) -> None:
        self.count["connections"] += 1
        # SYN there, SYN-ACK back, ACK there: then the host knows that it has a connection.
        open_at = _now() + 1.5 * self.rtt
        out: Chunks = asyncio.Queue()
        tasks = [asyncio.create_task(self._send(reader, out, "to_hosts", not_before=open_at))]
        await asyncio.sleep(open_at - _now())
        far_reader, far_writer = await asyncio.open_connection(*host, limit=BLOCK)
        back: Chunks = asyncio.Queue()
        tasks += [
            asyncio.create_task(self._send(far_reader, back, "from_hosts")),
            asyncio.create_task(_arrive(out, far_writer)),
            asyncio.create_task(_arrive(back, writer)),
        ]
        try:
            await asyncio.gather(*tasks)
        finally:  # one side hung up: so does the other
            for task in tasks:
                task.cancel()
            far_writer.close()

    async def _send(
        self, reader: asyncio.StreamReader, way: Chunks, name: str, not_before: float = 0
    ) -> None:
        data = b"."
        while data:
            data = await reader.read(BLOCK)
            self.count[name] += len(data)
            way.put_nowait((max(_now() + self.rtt / 2, not_before), data))


async def _arrive(way: Chunks, writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while True:
        due, data = await way.get()
        await asyncio.sleep(due - _now())
        if not data:
            writer.write_eof()
            return
        writer.write(data)
        await writer.drain()


def _now() -> float:
    return asyncio.get_running_loop().time()


async def main(rtt: float, ways: Sequence[str]) -> None:
    """Until SIGTERM."""
    proxy = Proxy(rtt)
    for way in ways:
        near, host = (_address(end) for end in way.split("="))
        await proxy.listen(near, host)
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await over.wait()
    await proxy.close()
    sys.stdout.write(json.dumps(proxy.count) + "\n")


def _address(text: str) -> tuple[str, int]:
    host, port = text.rsplit(":", 1)
    return host, int(port)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rtt", type=float, default=0, help="milliseconds")
    parser.add_argument("ways", nargs="+", help="NEAR:PORT=HOST:PORT")
    given = parser.parse_args()
    asyncio.run(main(given.rtt / 1000, given.ways))
