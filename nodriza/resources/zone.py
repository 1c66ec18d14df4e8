"""A DNS zone that names the children that are in rotation."""

from __future__ import annotations

import difflib
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Iterable, List, Sequence, Set, Tuple

from nodriza.resources.base import Resource, State
from nodriza.resources.health import Health

if TYPE_CHECKING:
    from nodriza.host.host import Host

SERIAL = re.compile(r"^\s*(\d+) ; serial$", re.MULTILINE)


@dataclass(frozen=True)
class Zone(Resource):
    """A zone file (RFC 1035): ``head``, then an address record for each child in rotation.

    ``head`` has the SOA, with "SERIAL" for a number that grows with every change
    (RFC 1982). ``children``: pairs of a node's name and its address; one that has a file in
    ``DRAINED`` on this host is left out, whoever plans. ``out`` and ``back`` are names that
    get such a file, or lose it. One that is new to the zone is taken in once it is well:
    ``health`` is asked, a URL with "ADDRESS" in it, for the site ``name``.
    """

    path: str
    head: str
    children: Tuple[Tuple[str, str], ...] = ()
    out: Tuple[str, ...] = ()
    back: Tuple[str, ...] = ()
    health: str = ""
    name: str = ""

    DRAINED: ClassVar[str] = "/var/lib/nodriza-drained"
    STAYS: ClassVar[str] = "the zone stays"

    def __post_init__(self) -> None:
        pairs = tuple((name, at) for name, at in self.children)
        object.__setattr__(self, "children", pairs)

    def wanted(self) -> State:
        """Those in rotation, and no others; the serial may be anything."""
        return {"records": True}

    @classmethod
    def look(cls, host: Host, many: Sequence[Zone]) -> List[State]:
        """The whole text is compared."""
        return [zone._look(host) for zone in many]

    def _look(self, host: Host) -> State:
        text = _read(host, self.path)
        if not text:
            return None
        marked = host.list(self.DRAINED)
        found = SERIAL.search(text)
        serial = int(found.group(1)) if found else 0
        same = self._drained(marked) == set(marked) and text == self._text(host, serial, marked)
        return {"records": same}

    def _drained(self, marked: Sequence[str]) -> Set[str]:
        # Another node that gets the name of one that is gone begins in rotation.
        known = {name for name, _ in self.children}
        return ({*marked, *self.out} - set(self.back)) & known

    def text(self, serial: int, drained: Sequence[str] = ()) -> str:
        """The file."""
        records = [
            f"@ IN A {address} ; {name}\n"
            for name, address in self.children
            if name not in drained
        ]
        return self.head.replace("SERIAL", str(serial)) + "".join(records)

    def _text(self, host: Host, serial: int, drained: Iterable[str]) -> str:
        return self.text(serial, self._out(host, drained))

    def _out(self, host: Host, drained: Iterable[str]) -> List[str]:
        """With those that are not well yet; none of these, if there was no zone before."""
        old = _read(host, self.path)
        new = [
            name
            for name, address in self.children
            if old and self.health and name not in drained and not old.count(f" ; {name}\n")
            if Health(self.health.replace("ADDRESS", address), self.name).ask(host)[0] != 200
        ]
        return [*drained, *new]

    def vet(self, host: Host) -> None:
        """A site without an address is away for as long as resolvers believe it."""
        marked = host.list(self.DRAINED)
        names = [name for name, _ in self.children]
        if set(names) <= {*self._out(host, self._drained(marked))}:
            back = [name for name in names if name in marked]
            words = f". First bring one back: fab undrain {back[0]}" if back else ""
            host.refuse(f"no child would be in rotation; {self.path} stays as it is{words}")

    def fix(self, host: Host, now: State) -> None:
        """A new serial, greater than the old one whatever the clock says."""
        marked = host.list(self.DRAINED)
        drained = self._drained(marked)
        host.mkdirs(self.DRAINED)
        for name in drained - set(marked):
            host.write(f"{self.DRAINED}/{name}", b"")
        host.write(self.path, self._text(host, self._next(host), drained))
        for name in set(marked) - drained:
            host.remove(f"{self.DRAINED}/{name}")

    def _next(self, host: Host) -> int:
        found = SERIAL.search(_read(host, self.path))
        return max(int(time.time()), int(found.group(1)) + 1 if found else 0)

    def diff(self, host: Host, now: State) -> str:
        """What goes and what comes."""
        new = self._text(host, self._next(host), self._drained(host.list(self.DRAINED)))
        old = _read(host, self.path)
        names = (f"{self.path} (there)" if old else "/dev/null", f"{self.path} (wanted)")
        lines = difflib.unified_diff(old.splitlines(), new.splitlines(), *names, lineterm="")
        return "\n".join(lines)


def _read(host: Host, path: str) -> str:
    return (host.read(path) or b"").decode("utf-8", "replace")
