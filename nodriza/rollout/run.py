"""A run: what is the same for all its nodes."""

from __future__ import annotations

import getpass
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nodriza.plan.plan import Plan
from nodriza.report.result import NodeResult
from nodriza.rollout.revision import revision
from nodriza.rollout.turns import Turns
from nodriza.ssh.client import Connection
from nodriza.ssh.connection import PARALLEL, Connections

if TYPE_CHECKING:
    from nodriza.inventory import Cluster
    from nodriza.report import Report
    from nodriza.source.tree import Source

LOOKS = 600
"""Seconds within which a host has compared a plan; it may have to ask a hundred programs."""


@dataclass
class Run:
    """What is the same for all nodes of one run."""

    cluster: Cluster
    report: Report
    secrets: dict[str, str]
    what: str
    """The command as a person would type it, for the host's history."""
    check: bool = False
    diff: bool = False
    sudo_password: str | None = None
    ask: dict[str, Any] = field(default_factory=dict)
    """Questions of ``nodriza.agent.answers``: word to what about; ``NodeResult.facts``."""
    rollback: str = ""
    """The id of a run whose files are to come back, with what follows them in the plan."""
    deadline: float | None = None
    """Seconds that a host has for all of it; without it a check has ``LOOKS``, and a change
    takes the time that it takes."""
    parallel: int = PARALLEL
    serial: str = ""
    """How many nodes that serve change at a time: a number or a percentage of the children;
    without it as the inventory says."""
    max_failures: int | None = None
    """How many of them may fail before the others are left alone; as the inventory says."""
    wait: float = 0
    """Seconds to wait for a host that another run has taken."""
    sources: Mapping[str, Source] = field(default_factory=dict)
    """What hosts may ask for, by its SHA-256 (``Upload``)."""
    waves: Sequence[Callable[[dict[str, NodeResult]], list[Plan]]] = ()
    """What follows from the results so far: each gives the plans of one wave more."""
    moved: frozenset[str] = frozenset()
    """Jobs whose data the operator has moved to who is to keep it."""
    kept: dict[str, Connection] = field(default_factory=dict)
    """Of nodes whose releases this run has to itself, open until all of it is over."""
    connections: Connections | None = None
    """Where some were begun ahead; the threads of all nodes take theirs from it."""
    stop: threading.Event = field(default_factory=threading.Event)
    """Set by the first Ctrl-C: every node ends after the resource that it is at."""
    id: str = field(
        default_factory=lambda: (
            time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) + "-" + secrets.token_hex(3)
        )
    )

    def __post_init__(self) -> None:
        if self.check and self.deadline is None:
            self.deadline = patience(self.cluster, LOOKS)
        self._revision = "" if self.check else revision(self.cluster.path)
        self.ways = self.connections or Connections(self.cluster)
        self.turns = Turns.of(self.cluster, self.serial, self.max_failures, self.stop)
        """Of the wave that is under way: a failure in one keeps nobody from the next."""
        self.places = threading.Semaphore(self.parallel)
        """Of the wave as well: one for each node that is at work."""

    def request(self, plan: Plan) -> dict[str, Any]:
        """What one node is sent; only the secrets that its plan names."""
        return {
            "run": self.id,
            "mode": "check" if self.check else "apply",
            "diff": self.diff,
            "what": self.what,
            "who": {
                "who": getpass.getuser(),
                "from": socket.gethostname(),
                "revision": self._revision,
            },
            "ask": self.ask,
            "rollback": self.rollback,
            "releases": plan.releases,
            "cluster": self.cluster.name,
            "whole": plan.whole,
            "keepers": dict(plan.keepers),
            "uses": plan.uses,
            "moved": sorted(self.moved),
            "secrets": {name: self.secrets[name] for name in sorted(plan.secrets)},
            "resources": plan.to_request(),
        }


def patience(cluster: Cluster, seconds: float) -> float:
    """The same on real machines; longer on a lab's that are emulated."""
    return max(seconds, 10 * cluster.lab_overlay.patience if cluster.lab_overlay else 0)
