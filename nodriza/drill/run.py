"""A cluster rebuilt from its newest backup on this computer, as an operator would type it.

The machines reach package archives until all is installed. Then the lab is closed, and tried:
only after that a machine sees a row of the cluster's, or runs the application.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nodriza import lab
from nodriza.drill import cluster as copies
from nodriza.drill import needs
from nodriza.drill.copy import Copied, Copy
from nodriza.errors import LabError, NodrizaError
from nodriza.inventory import load_cluster
from nodriza.lab import network, state, wiring
from nodriza.source import git
from nodriza.vault.key import VARIABLE
from nodriza.vault.store import Vault
from nodriza.watch.drills import Drill, minutes, remember
from nodriza.wording import count

if TYPE_CHECKING:
    from nodriza.inventory import Cluster

Say = Callable[[str], None]
ROOT = Path("/var/lib/nodriza/drill")
"""A folder for each cluster; root's, because its rows and secrets lie there meanwhile."""
CLOSED = """
import errno, socket, sys
try:
    socket.create_connection(("192.0.2.1", 443), 5)
except OSError as error:
    known = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ECONNREFUSED, errno.EACCES)
    sys.exit(error.errno not in known)
sys.exit(1)
"""
"""Ends with 0 where a connection to outside is refused at once. Nobody has that address
(RFC 5737): where the way is open, nobody answers either, and that is another error."""


class StageFailed(NodrizaError):
    """A stage that did not come to a good end; its own words are above."""


class DrillRun:
    """One drill of a cluster; ``only`` as it was typed."""

    def __init__(self, cluster: Cluster, vault: Vault, say: Say, only: str = "") -> None:
        self.cluster = cluster
        self.say = say
        self.nodes = copies.chosen(cluster, only)
        self.values = vault.values()
        self.folder = ROOT / cluster.name
        self.name = copies.name_of(cluster)
        self.stage = ""
        self.times: dict[str, float] = {}
        self.copied = Copied()

    def refuse(self) -> int:
        """What this computer lacks, as an error; else MiB of memory for the machines."""
        needs.refuse_without(self.cluster, self.values)
        return needs.memory_mb(self.nodes)

    def run(self, *, keep: bool) -> Drill:
        """All of it, remembered; the lab is gone at the end, unless it is to be kept."""
        memory = self.refuse()
        began, error = time.time(), ""
        with alone(self.cluster):
            _down(self.cluster, self.say)
            try:
                self._all(memory)
            except NodrizaError as wrong:
                error = self.stage or "the beginning"
                self.say(str(wrong))
            finally:
                seconds = time.time() - began
                if not keep:
                    _down(self.cluster, self.say)
        drill = Drill(
            at=began,
            seconds=seconds,
            backup=", ".join(sorted(set(self.copied.runs.values()))) or "-",
            rows=self.copied.rows,
            failed=error,
        )
        remember(self.cluster.path, drill)
        return drill

    def _all(self, memory: int) -> None:
        ROOT.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700)
        with self._stage("copy"), self._reaching():
            self.copied = Copy(self.cluster, self.values, self.folder).take(
                lambda size: needs.refuse_no_room(self.folder, self.nodes, size)
            )
        took = ", ".join(f"{host} {run}" for host, run in self.copied.runs.items())
        self.say(f"backup of {took}: {self.copied.rows} rows")
        path = copies.write(
            self.cluster,
            self.nodes,
            self.values,
            self.folder,
            system=self.copied.system,
            memory_mb=memory,
        )
        deploy = ["deploy", *self._ref()]
        self._fab("lab", "lab.up")
        self._fab("provision", "provision")
        self._fab("build", *deploy, "--build")
        with self._stage("close"):
            copies.close(path)
            self._typed("lab.up")
            self._refuse_open(path)
        self._fab("restore", "restore")
        self._fab("accounts", "provision")
        self._fab("deploy", *deploy)
        self._fab("smoke", "smoke")

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        """Where the repository can be reached: for a cluster that is a lab, in its network."""
        if self.cluster.lab is None or lab.reach(self.cluster) is None:
            yield
            return
        try:
            yield
        finally:
            network.leave(wiring.netns_of(self.cluster.name))

    def _ref(self) -> list[str]:
        """The commit that served, where git has it here."""
        served = str(self.copied.served.get("commit") or "")
        if served and git.has(self.cluster.app.source_path, served):
            self.say(f"the release that served then is of commit {served[:10]}")
            return ["--ref", served]
        why = f"commit {served[:10]} is not there" if served else "it did not come from git"
        self.say(
            f"which source the release was made of is not known here ({why}):"
            f" {self.cluster.app.source_path} is deployed as it is"
        )
        return []

    def _refuse_open(self, path: Path) -> None:
        cluster = load_cluster(path)
        for node in cluster.nodes:
            argv = [*lab.ssh_argv(cluster, node.name), "python3 -"]
            done = subprocess.run(
                argv, input=CLOSED, text=True, capture_output=True, timeout=60, check=False
            )
            if done.returncode:
                raise LabError(
                    f"{node.name}: a connection to outside is not refused",
                    kept="no row was restored, and nothing of the application has run",
                    do="please report this",
                )
        self.say(f"closed: {count(len(cluster.nodes), 'machine')} can't reach anything outside")

    @contextlib.contextmanager
    def _stage(self, stage: str) -> Iterator[None]:
        self.stage = stage
        self.say(f"\n== {stage}")
        began = time.monotonic()
        yield
        self.times[stage] = time.monotonic() - began

    def _fab(self, stage: str, *words: str) -> None:
        with self._stage(stage):
            self._typed(*words)

    def _typed(self, *words: str) -> None:
        fab = Path(sys.executable).with_name("fab")
        program = str(fab) if fab.exists() else "fab"
        env = {
            **os.environ,
            VARIABLE: str(self.folder / "age.key"),
            "NODRIZA_INVENTORY": self.name,
        }
        done = subprocess.run(
            [program, *words], cwd=self.folder, env=env, stdin=subprocess.DEVNULL, check=False
        )
        if done.returncode:
            raise StageFailed(
                f"fab {' '.join(words)} ended with {done.returncode}",
                where=f"drill of {self.cluster.name}",
                kept="the cluster itself was not touched",
                do="fab drill --keep leaves the machines, to look around",
            )

    def words(self, drill: Drill) -> Iterator[str]:
        """How it was."""
        if self.times:
            spent = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in self.times.items())
            yield f"times: {spent}; all {minutes(drill.seconds)}"
        yield drill.words


@contextlib.contextmanager
def alone(cluster: Cluster) -> Iterator[None]:
    """One drill of a cluster at a time; the lock ends with the process."""
    busy = f"another drill of {cluster.name} is at work"
    with state.locked(state.RUN / f"drill-{cluster.name}.lock", busy=busy, seconds=1):
        yield


def down(cluster: Cluster, say: Say) -> None:
    """Take away what a drill has left that was to stay, or was killed."""
    with alone(cluster):
        _down(cluster, say)


def _down(cluster: Cluster, say: Say) -> None:
    """Machines, rows and secrets."""
    folder = ROOT / cluster.name
    path = folder / "inventories" / f"{copies.name_of(cluster)}.yml"
    if path.exists():
        lab.down(load_cluster(path), say=say)
    if folder.exists():
        shutil.rmtree(folder)
