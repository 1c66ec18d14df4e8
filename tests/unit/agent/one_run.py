"""One run of the loop over a folder, for the tests of what it promises."""

from __future__ import annotations

from pathlib import Path

from nodriza.agent.converge import Converge
from nodriza.agent.journal import Journal
from nodriza.agent.left import find
from nodriza.agent.memory import Memory
from nodriza.resources import (
    Directory,
    File,
    Link,
    Service,
)
from tests.unit.agent.pretend import PretendHost

ME = {"owner": Path.home().owner(), "group": Path.home().group()}
READS = {"web": "/etc/web/web.conf"}


def conf(text: str) -> list:
    """A service, the directory and the file that it reads, and a link beside it."""
    file = File("/etc/web/web.conf", text, **ME)
    link = Link("/etc/web/enabled", "web.conf")
    return [
        Directory("/etc", **ME),
        Directory("/etc/web", **ME),
        file,
        link,
        Service("web", check=("checker", "/etc/web/web.conf"), reload_on=(file,)),
    ]


class Run:
    """One run over one folder; ``events`` and ``counts`` are what it said.

    As ``main`` goes about it. ``cluster``: whose memory it is; without it the plan is not whole.
    """

    def __init__(
        self,
        root: Path,
        resources: list,
        run: str = "run-1",
        *,
        cluster: str = "",
        part: bool = False,
        **options,
    ) -> None:
        at = options.pop("crash_at", None)
        self.host = options.pop("host", None) or PretendHost(root, READS, at)
        self.journal = Journal(self.host, run)
        self.events: list[dict] = []
        whole = bool(cluster) and not part
        self.memory = Memory(self.host, cluster or "test", whole=whole)
        self.found = find(self.host, self.memory, resources)
        options["note"] = self.memory.note
        loop = Converge(self.host, self.journal, self.found.plan, self.events.append, **options)
        if loop.check:
            self.counts = loop.run()
            return
        self.journal.lock({})
        self.counts = loop.run()
        if whole and not (self.counts["failed"] or self.counts["skipped"]):
            self.memory.replace(self.journal, resources, self.found.asked)
        self.journal.remember({"counts": self.counts}, {})
        self.journal.unlock()

    def statuses(self) -> dict[str, str]:
        return {e["id"]: e["status"] for e in self.events if e["event"] == "resource"}
