"""The database's content to a file, and back: streamed, so that no end holds more than a part.

It is compressed on the way. What makes a dump whole is the engine's own last line: the end of a
dump is written here only once the node has said that all went well, and a file without that line
replaces nothing.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from nodriza.errors import HostRefused, TargetError
from nodriza.plan.offers import links, servers
from nodriza.ssh.commands import PART, Everywhere
from nodriza.ssh.raw_command import Raw

if TYPE_CHECKING:
    import paramiko

    from nodriza.inventory import Cluster, Node
    from nodriza.plan.dump import Dump

GZIP = 31
"""zlib's word for gzip's format, which ends with a checksum (zlib.h, inflateInit2)."""
MAGIC = b"\x1f\x8b"
LAST = 4096
"""Bytes of a dump's end that are held back until it is known to be whole."""


def place(cluster: Cluster) -> tuple[Node, Dump]:
    """The node with the database, and its engine's own words."""
    nodes = servers(cluster, "database")
    if not nodes:
        raise TargetError(
            "the database is outside of this cluster",
            kept="nothing was done",
            do='its own tools, or fab manage "dumpdata" for what Django knows',
        )
    node, role, offer = links(cluster).one("database")
    if offer.dump is None:
        raise TargetError(
            f"the role {role} does not say how its database is dumped",
            kept="nothing was done",
            do=f'dump= of its Offer("database"), in {role}.py',
        )
    return node, offer.dump(node, cluster)


def tables(cluster: Cluster, node: Node, dump: Dump, **options: Any) -> int:
    """How many the database has."""
    asked = Everywhere(cluster, {node.name: dump.holds}, sudo=True, deadline=60, **options)
    said = [line for heard in asked.lines() if heard for line in heard[1:]]
    end = asked.ended[node.name]
    if end.error:
        raise end.error
    if end.exit or not (said and said[-1].isdecimal()):
        raise HostRefused(
            f"the database does not say what it holds: {' '.join(said[-3:])}",
            where=node.name,
            kept="nothing was changed",
            do=f"fab status:{node.name}",
        )
    return int(said[-1])


class Plain:
    """A dump as it comes, unpacked into ``out``; ``why`` says what is wrong with it."""

    def __init__(self, out: BinaryIO) -> None:
        self.size = 0
        self.why = ""
        self._out = out
        self._last = b""
        self._zip = zlib.decompressobj(GZIP)

    def write(self, data: bytes) -> None:
        """All but the end. Raises ``BrokenPipeError`` where the rest is of no use."""
        try:
            while data:
                self._keep(self._zip.decompress(data, PART))
                data = self._zip.unconsumed_tail
        except zlib.error as error:
            self.why = f"what came is damaged: {error}"
        except OSError as error:
            self.why = f"it can't be written: {error.strerror}"
        if self.why:
            raise BrokenPipeError(self.why)

    def flush(self) -> None:
        """Nothing waits here but what has to."""

    def finish(self, end: str) -> str:
        """Write the end, if it is whole; or say why not."""
        if not self.why and not (self._zip.eof and is_end(self._last, end)):
            self.why = f'it has no end: its last line does not begin with "{end}"'
        if not self.why:
            try:
                self._out.write(self._last)
                self._out.flush()
            except OSError as error:
                self.why = f"it can't be written: {error.strerror}"
        return self.why

    def _keep(self, part: bytes) -> None:
        self.size += len(part)
        joined = self._last + part
        self._last = joined[-LAST:]
        if len(joined) > LAST:
            self._out.write(joined[:-LAST])


def is_end(last: bytes, end: str) -> bool:
    """Whether the last line that is not empty is a whole dump's."""
    lines = [line for line in last.splitlines() if line.strip()]
    return bool(lines) and lines[-1].startswith(end.encode())


class Saving(Raw):
    """The dump on its way here."""

    early = True

    def __init__(
        self, cluster: Cluster, node: Node, dump: Dump, out: Plain, **options: Any
    ) -> None:
        super().__init__(cluster, {node.name: dump.save}, sudo=True, out=out, **options)
        self.plain = out

    def _waiting(self) -> str:
        return f"{amount(self.plain.size)} of SQL have come"


class Loading(Everywhere):
    """A file on its way to the database; ``why`` says what is wrong with it.

    The end of its compressed form is sent only if it is whole. So a load that is cut, for whatever
    reason, is no file for the node.
    """

    early = True

    def __init__(
        self, cluster: Cluster, node: Node, dump: Dump, file: int, **options: Any
    ) -> None:
        super().__init__(cluster, {node.name: dump.load}, sudo=True, **options)
        self.file = file
        self.end = dump.end
        self.size = 0
        self.why = ""
        self._last = b""

    def _waiting(self) -> str:
        return f"{amount(self.size)} of SQL are on their way"

    def _feed(self, channel: paramiko.Channel) -> None:
        super()._feed(channel)
        if self.why:
            self.stopped.set()

    def _parts(self) -> Iterator[bytes]:
        pack = zlib.compressobj(1, zlib.DEFLATED, GZIP)
        try:
            for part in self._plain():
                self.size += len(part)
                self._last = (self._last + part)[-LAST:]
                if packed := pack.compress(part):
                    yield packed
        except (OSError, zlib.error) as error:
            self.why = f"the file can't be read to its end: {error}"
        if not self.why and not is_end(self._last, self.end):
            self.why = f'the file has no end: its last line does not begin with "{self.end}"'
        if self.why:
            raise EOFError
        yield pack.flush()

    def _plain(self) -> Iterator[bytes]:
        """What is in the file, whether it is compressed or not."""
        first = os.read(self.file, PART)
        if not first.startswith(MAGIC):
            while first:
                yield first
                first = os.read(self.file, PART)
            return
        unpack = zlib.decompressobj(GZIP)
        while first and not unpack.eof:
            yield unpack.decompress(first, PART)
            first = unpack.unconsumed_tail or os.read(self.file, PART)
        if not unpack.eof:
            raise zlib.error("its compressed form is cut")


def amount(size: int) -> str:
    """For people."""
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"
