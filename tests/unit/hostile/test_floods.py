"""Hosts that say too much, or say it for ever: they are ended in seconds and few megabytes."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from nodriza.errors import NodrizaError
from nodriza.ssh.channel import ERRORS, exchange
from nodriza.ssh.conversation import ALL
from tests.memory import Peak
from tests.unit.hostile.liar import (
    REQUEST,
    START,
    Connection,
    record,
)

MEGABYTE = b"x" * 2**20


def keys() -> bytes:
    """A listing of more than anybody has."""
    return json.dumps({str(number): [] for number in range(100_000)}).encode()


FACT = b'\x1e{"event":"facts","history":%s}\n'
FLOODS = {
    "a line without end": lambda: itertools.repeat(MEGABYTE, 2000),
    "a record without end": lambda: itertools.chain([b"\x1e{"], itertools.repeat(MEGABYTE, 2000)),
    "short pieces of one line": lambda: itertools.repeat(b"x" * 100, 300_000),
    "noise without end": lambda: itertools.repeat(b"noise\n" * 10_000),
    "warnings without end": lambda: itertools.chain(
        [record(START)], itertools.repeat(record({"event": "warning", "words": "w" * 5000}) * 10)
    ),
    "a huge list": lambda: [record(START), FACT % b"[%s]" % (b"[]," * 340_000 + b"[]")],
    "a huge dictionary": lambda: [record(START), FACT % b'{%s"":1}' % (b'"":[],' * 140_000)],
    "many keys": lambda: [record(START), FACT % keys()],
    "deep nesting": lambda: [b"\x1e" + b"[" * 3_000_000 + b"\n"],
    "a number without end": lambda: [b'\x1e{"event":"ok","count":' + b"9" * 3_000_000 + b"}\n"],
}


@pytest.mark.parametrize("flood", FLOODS)
def test_flood__ends_within_seconds_and_few_megabytes(flood: str) -> None:
    peak, began = Peak(), time.monotonic()
    connection: Any = Connection(lambda _: FLOODS[flood]())
    with pytest.raises(NodrizaError):
        exchange(connection, REQUEST, lambda _: None)
    assert time.monotonic() - began < 20
    assert peak.grown < ALL


def test_flood_of_stderr__ends_within_seconds_and_few_megabytes() -> None:
    peak, began = Peak(), time.monotonic()
    gigabyte = itertools.repeat(MEGABYTE, 1000)

    def silent(_: Any) -> Iterator[bytes]:
        while not connection.channel.closed:
            time.sleep(0.01)
        yield b""

    connection: Any = Connection(silent, stderr=gigabyte)
    with pytest.raises(NodrizaError, match="MB on stderr"):
        exchange(connection, REQUEST, lambda _: None)
    assert time.monotonic() - began < 20
    assert peak.grown < 2 * ERRORS


def test_host_that_drips__is_given_up_when_its_time_is_over() -> None:
    def drip(_: Any) -> Iterator[bytes]:
        while True:
            time.sleep(0.02)
            yield b"."

    began = time.monotonic()
    connection: Any = Connection(drip)
    with pytest.raises(NodrizaError, match="had not said all within 1 s"):
        exchange(connection, {**REQUEST, "mode": "check"}, lambda _: None, deadline=1)
    assert time.monotonic() - began < 5
