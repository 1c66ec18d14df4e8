"""The delaying proxy is as far away as it is told, and not narrower."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from bench.proxy import Proxy

RTT = 0.1
SLACK = 0.09  # a busy machine, and still less than another round trip
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def far_away(host: Talk) -> AsyncIterator[tuple[Proxy, int]]:
    """A host that talks so, and the port of a proxy in front of it."""
    server = await asyncio.start_server(host, "127.0.0.1", 0)
    proxy = Proxy(RTT)
    try:
        address = server.sockets[0].getsockname()
        yield proxy, await proxy.listen(("127.0.0.1", 0), (address[0], address[1]))
    finally:
        await proxy.close()
        server.close()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
    writer.close()


async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"hello")
    writer.close()


def test_a_question_and_its_answer_cost_a_round_trip() -> None:
    async def ask() -> float:
        async with far_away(echo) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"first")
            await reader.readexactly(5)  # the handshake is in this one
            began = time.monotonic()
            writer.write(b"again")
            await reader.readexactly(5)
            writer.close()
            return time.monotonic() - began

    assert RTT <= asyncio.run(ask()) < RTT + SLACK


def test_the_first_word_of_a_host_comes_after_the_handshake_and_half_a_round_trip_more() -> None:
    async def wait() -> float:
        async with far_away(greet) as (_, port):
            began = time.monotonic()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert await reader.read() == b"hello"
            writer.close()
            return time.monotonic() - began

    assert 2 * RTT <= asyncio.run(wait()) < 2 * RTT + SLACK


def test_many_bytes_take_no_longer_than_few() -> None:
    size = 8_000_000

    async def send() -> tuple[float, int]:
        async with far_away(echo) as (proxy, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b".")
            await reader.readexactly(1)
            began = time.monotonic()
            writer.write(b"." * size)
            await reader.readexactly(size)
            writer.close()
            return time.monotonic() - began, proxy.count["from_hosts"]

    seconds, counted = asyncio.run(send())
    assert seconds < 3  # a proxy that waits for each block would need 12 s
    assert counted == size + 1


def test_the_end_of_what_one_side_has_to_say_comes_through_and_the_answer_back() -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"heard " + await reader.read())
        writer.close()

    async def ask() -> bytes:
        async with far_away(say) as (_, port):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"all of it")
            writer.write_eof()
            answer = await reader.read()
            writer.close()
            return answer

    assert asyncio.run(ask()) == b"heard all of it"


def test_what_went_through_is_counted() -> None:
    async def ask() -> dict[str, int]:
        async with far_away(greet) as (proxy, port):
            for _ in range(3):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                assert await reader.read() == b"hello"
                writer.close()
            return dict(proxy.count)

    assert asyncio.run(ask()) == {"connections": 3, "to_hosts": 0, "from_hosts": 15}
