"""A dump on its way: whole, or known not to be."""

from __future__ import annotations

import gzip
import io
import os
import random
import shlex
import subprocess
import zlib
from pathlib import Path

import pytest

from nodriza.errors import TargetError
from nodriza.operate import database
from nodriza.operate.database import Loading, Plain

END = "-- Dump completed"
SQL = b"CREATE TABLE a;\n" * 20_000 + random.Random(1).randbytes(200_000).hex().encode()
WHOLE = SQL + b"\n\n-- Dump completed on 2026-11-30\n"


class Full(io.BytesIO):
    def write(self, data: bytes, /) -> int:
        raise OSError(28, "No space left on device")


def unpacked(packed: bytes, out: io.BytesIO, step: int = 1_000) -> Plain:
    plain = Plain(out)
    for at in range(0, len(packed), step):
        plain.write(packed[at : at + step])
    return plain


def test_dump__is_passed_on_as_it_was():
    out = io.BytesIO()
    assert unpacked(gzip.compress(WHOLE), out).finish(END) == ""
    assert out.getvalue() == WHOLE


@pytest.mark.parametrize(
    ("packed", "why"),
    [
        (gzip.compress(SQL), 'it has no end: its last line does not begin with "-- Dump'),
        (gzip.compress(WHOLE)[:-1], "it has no end"),
        (gzip.compress(WHOLE)[:-9], "it has no end"),
        (b"", "it has no end"),
    ],
)
def test_dump_that_is_cut__is_known_and_its_last_line_is_not_written(packed, why):
    out = io.BytesIO()
    assert why in unpacked(packed, out).finish(END)
    assert END.encode() not in out.getvalue()
    assert len(out.getvalue()) < len(SQL)


@pytest.mark.parametrize(
    ("packed", "out", "why"),
    [
        (b"no gzip at all", io.BytesIO(), "what came is damaged"),
        (gzip.compress(WHOLE), Full(), "it can't be written: No space left on device"),
    ],
)
def test_dump_that_is_of_no_use__is_not_waited_for(packed, out, why):
    plain = Plain(out)
    with pytest.raises(BrokenPipeError):
        plain.write(packed)
    assert why in plain.finish(END)


def test_dump_that_unpacks_to_a_million_times_its_size__is_never_in_memory():
    class Largest(io.BytesIO):
        largest = 0

        def write(self, data, /):
            self.largest = max(self.largest, len(data))
            return len(data)

    out = Largest()
    unpacked(gzip.compress(bytes(50_000_000)), out, 50_000)
    assert 0 < out.largest <= 2 * database.PART


def sent(three_node, data: bytes, tmp_path: Path) -> tuple[bytes, str]:
    """What the node gets of a file, and what is wrong with the file."""
    path = tmp_path / "dump"
    path.write_bytes(data)
    node, dump = database.place(three_node)
    file = os.open(path, os.O_RDONLY)
    loading = Loading(three_node, node, dump, file)
    parts = []
    try:
        parts.extend(loading._parts())
    except EOFError:
        pass
    finally:
        os.close(file)
    return b"".join(parts), loading.why


@pytest.mark.parametrize("data", [WHOLE, gzip.compress(WHOLE)], ids=["plain", "packed"])
def test_file__is_compressed_on_its_way(three_node, tmp_path, data):
    packed, why = sent(three_node, data, tmp_path)
    assert why == ""
    assert gzip.decompress(packed) == WHOLE
    assert len(packed) < len(WHOLE) / 2


@pytest.mark.parametrize(
    "data",
    [SQL, b"", b"\n", gzip.compress(SQL), gzip.compress(WHOLE)[:-4], gzip.compress(WHOLE)[:-2000]],
)
def test_file_that_is_cut__is_never_a_whole_one_for_the_node(three_node, tmp_path, data):
    packed, why = sent(three_node, data, tmp_path)
    assert why
    unpack = zlib.decompressobj(database.GZIP)
    unpack.decompress(packed)
    assert not unpack.eof


def test_words__are_those_of_the_role_that_offers_the_database(three_node):
    node, dump = database.place(three_node)
    assert node.name == "server-1"
    for line in (dump.save, dump.holds, dump.load, dump.client):
        subprocess.run(["sh", "-n"], input=line, text=True, check=True)
    for line in (dump.save, dump.load):
        words = shlex.split(line)
        inner = words[words.index("-c") + 1]
        subprocess.run(["bash", "-n"], input=inner, text=True, check=True)


def test_database_outside_of_the_cluster__is_told(three_node, monkeypatch):
    monkeypatch.setattr(database, "servers", lambda *_: ())
    with pytest.raises(TargetError, match="outside of this cluster"):
        database.place(three_node)
