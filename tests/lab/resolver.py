"""The site's name as resolvers meet it, and what changes of it while something is done."""

from __future__ import annotations

import contextlib
import threading
import time

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rdatatype

from tests.lab.project import Project
from tests.lab.visitor import get

SERVERS = ("server-1", "ns-2")
"""The first makes the zone, the second follows it."""
TTL = 5  # the least; a secondary that is not told of a change asks only once a minute


def ask(
    project: Project, server: str, kind: str = "A", name: str = "", *, tcp: bool = False
) -> dns.message.Message:
    """What a node answers who wants to have everything looked up for him."""
    question = dns.message.make_query(name or project.cluster.domain, kind)
    assert question.flags & dns.flags.RD
    way = dns.query.tcp if tcp else dns.query.udp
    return way(question, project.cluster.node(server).web_address, timeout=5)


def found(answer: dns.message.Message, kind: str = "A") -> list[str]:
    """The values in an answer, sorted."""
    wanted = dns.rdatatype.from_text(kind)
    sets = [rrset for rrset in answer.answer if rrset.rdtype == wanted]
    return sorted(str(record) for rrset in sets for record in rrset)


def site(project: Project, server: str) -> list[str]:
    """The children that visitors are sent to by a node's answer; nobody without an answer."""
    names = {child.web_address: child.name for child in project.cluster.children}
    for _ in range(2):  # a packet may be lost
        with contextlib.suppress(dns.exception.Timeout):
            return sorted(names.get(at, at) for at in found(ask(project, server)))
    return []


def serial(project: Project, server: str) -> int:
    """The number of the zone that a node has."""
    return int(found(ask(project, server, "SOA"), "SOA")[0].split()[2])


class Watch:
    """Every change, with its time: what each server says of the site, and ``/healthz``."""

    def __init__(self, project: Project, servers: tuple[str, ...], child: str) -> None:
        self.project = project
        self.servers = servers
        self.child = project.cluster.node(child)
        self.changes: dict[str, list[tuple[float, object]]] = {}
        self._leave = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, args=(who,)) for who in (*servers, "healthz")
        ]

    def _watch(self, who: str) -> None:
        changes = self.changes.setdefault(who, [])
        while not self._leave.wait(0.1):
            seen: object
            if who == "healthz":
                domain = self.project.cluster.domain
                seen = get(self.child.web_address, "/healthz", domain)[0]
            else:
                seen = site(self.project, who)
            if not changes or changes[-1][1] != seen:
                changes.append((time.monotonic(), seen))

    def values(self, who: str) -> list[object]:
        """What it said, one after the other."""
        return [value for _, value in self.changes[who]]

    def last(self, who: str) -> float:
        """When it began to say what it says now."""
        return self.changes[who][-1][0]

    def __enter__(self) -> Watch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave.set()
        for thread in self._threads:
            thread.join()
