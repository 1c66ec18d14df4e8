"""An operator's folder with a lab of its own, and everything typed as the operator would."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import yaml

from nodriza import lab
from nodriza.inventory import Cluster, load_cluster
from nodriza.lab import state, wiring
from nodriza.lab.containers import nspawn
from tests.running import running

ROOT = Path(__file__).parents[2]
FAB = Path(sys.executable).with_name("fab")
EXAMPLE = ROOT / "examples" / "videoteca"
SHIPPED = ROOT / "inventories" / "three-node.yml"
PATIENCE = 400
"""Seconds for the longest command: a first provision on a slow line."""


@dataclass(frozen=True)
class Result:
    """What a command said, and how long it took."""

    exit: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def said(self) -> str:
        """Everything an operator would see."""
        return self.stdout + self.stderr

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """The lines of ``--json``."""
        lines = self.stdout.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    @property
    def recap(self) -> dict[str, Any]:
        """The last line of ``--json``."""
        return next(event for event in reversed(self.events) if event["event"] == "recap")

    def statuses(self, node: str) -> dict[str, str]:
        """Resource id to what came of it, in the order of the plan.

        The zone is looked at again when a new child serves.
        """
        found: dict[str, str] = {}
        for event in self.events:
            if event["event"] == "resource" and event["node"] == node:
                if event["status"] != "ok":
                    found[event["id"]] = event["status"]
                found.setdefault(event["id"], "ok")
        return found

    def changed(self) -> dict[str, list[str]]:
        """Node to the ids that changed there, or would change."""
        found: dict[str, list[str]] = {}
        for event in self.events:
            if event["event"] == "resource" and event["status"] == "changed":
                found.setdefault(event["node"], []).append(event["id"])
        return found

    def well(self) -> Result:
        """The same, when the command ended with 0."""
        assert self.exit == 0, self.said[-6000:]
        return self


@dataclass
class Project:
    """A folder with ``fabfile.py``, ``inventories/`` and the application's source."""

    folder: Path
    name: str
    data: dict[str, Any]
    program: Path = FAB
    times: dict[str, float] = field(default_factory=dict)

    @classmethod
    def make(
        cls, folder: Path, name: str, third: int, *, children: int = 2, videos: int = 1
    ) -> Project:
        """The shipped lab under another name, in 198.18.<third>.0/24 and the one after."""
        text = SHIPPED.read_text()
        text = text.replace("198.18.8.", f"198.18.{third + 1}.").replace(
            "198.18.7.", f"198.18.{third}."
        )
        data = yaml.safe_load(text)
        data["cluster"] = name
        data["app"]["source"] = "../videoteca"
        nodes = data["nodes"]
        for kind, first, last, number, host in (
            ("server", 2, 3, children, 12),
            ("video", 1, 1, videos, 21),
        ):
            shipped = nodes.pop(f"{kind}-{_range(first, last)}")
            old, new = _range(host, host + last - first), _range(host, host + number - 1)
            if number:
                nodes[f"{kind}-{_range(first, first + number - 1)}"] = {
                    key: value.replace(f".{old}", f".{new}") if isinstance(value, str) else value
                    for key, value in shipped.items()
                }
        (folder / "inventories").mkdir(parents=True)
        (folder / "fabfile.py").write_text("from nodriza.fabfile import ns  # noqa: F401\n")
        shutil.copytree(
            EXAMPLE, folder / "videoteca", ignore=shutil.ignore_patterns("__pycache__", "var")
        )
        project = cls(folder, name, data)
        project.write()
        return project

    @property
    def inventory(self) -> Path:
        """The file that is this cluster."""
        return self.folder / "inventories" / f"{self.name}.yml"

    @property
    def cluster(self) -> Cluster:
        """The inventory as it is now."""
        return load_cluster(self.inventory)

    @property
    def netns(self) -> str:
        """The network namespace of the lab."""
        return f"nodriza-{self.name}"

    def write(self, **app: Any) -> None:
        """Write the inventory, with some settings of ``app`` changed."""
        data = {**self.data, "app": {**self.data["app"], **app}}
        self.inventory.write_text(yaml.safe_dump(data, sort_keys=False))

    @contextlib.contextmanager
    def up(self, *commands: str) -> Iterator[None]:
        """Bare machines, on which each of the commands comes to a good end; gone afterwards."""
        self.fab("lab.down").well()  # what a run before this one may have left
        try:
            for command in ("lab.up", *commands):
                done = self.fab(command, timeout=1200).well()
                self.times[f"{self.name}: {command}"] = done.seconds
            yield
        finally:
            if os.environ.get("NODRIZA_KEEP_LAB") != "1":
                self.write()  # a test may have left an inventory that nobody can read
                self.fab("lab.down").well()

    def as_real_hosts(self, name: str, **ssh: Any) -> str:
        """Another inventory of the same machines that nobody knows to be a lab's."""
        data = {key: value for key, value in self.data.items() if key != "lab"}
        place = state.Place(self.name)
        data["ssh"] = {"key": str(place.key), "known_hosts": str(place.known_hosts), **ssh}
        data["share"] = {"engine": self.cluster.share.engine}
        path = self.inventory.with_name(f"{name}.yml")
        path.write_text(yaml.safe_dump(data, sort_keys=False))
        vault = self.inventory.with_name(f"{self.name}.secrets.age")
        shutil.copy(vault, path.with_name(f"{name}.secrets.age"))
        return name

    def fab(self, *words: str, **options: Any) -> Result:
        """Type a command and wait for its end; ``inside``: from the lab's own network."""
        began = time.monotonic()
        timeout = options.pop("timeout", PATIENCE)
        with self.start(*words, **options) as process:
            try:
                out, err = process.communicate(timeout=timeout)
            except BaseException:
                process.kill()
                raise
        return Result(process.returncode, out, err, time.monotonic() - began)

    @contextlib.contextmanager
    def start(
        self,
        *words: str,
        inside: bool = False,
        env: dict[str, str] | None = None,
        stdin: IO[str] | int = subprocess.DEVNULL,
    ) -> Iterator[subprocess.Popen[str]]:
        """A command that runs meanwhile; killed at the end if it still does."""
        way = ["nsenter", f"--net=/run/netns/{self.netns}"] if inside else []
        with running(
            [*way, str(self.program), *words],
            cwd=self.folder,
            env={**self._environment, **(env or {})},
            stdin=stdin,
        ) as process:
            yield process

    @property
    def _environment(self) -> dict[str, str]:
        kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return {**kept, "HOME": str(home), "NODRIZA_INVENTORY": self.name}

    def on(self, node: str, script: str, *, stdin: str = "", check: bool = True) -> str:
        """What a shell script wrote that ran on a machine as root."""
        done = subprocess.run(
            [*lab.ssh_argv(self.cluster, node), f"bash -c {shlex.quote(script)}"],
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=120,
            check=False,
        )
        assert not check or done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout

    def processes(self, node: str) -> Iterator[tuple[int, str]]:
        """Every process of a machine as this computer sees it: its id and its argv."""
        folder = nspawn.cgroup_of(self.name) / node
        for group, _, _ in os.walk(folder):  # which minds no group that ends meanwhile
            with contextlib.suppress(OSError):
                for pid in map(int, (Path(group) / "cgroup.procs").read_text().split()):
                    with contextlib.suppress(OSError):
                        argv = Path(f"/proc/{pid}/cmdline").read_bytes()
                        yield pid, argv.decode("utf-8", "replace")

    def agent(self, node: str) -> int | None:
        """The process id of the agent at work on a machine."""
        for pid, argv in self.processes(node):
            if argv.startswith("python3\0-I\0-S\0-B"):
                return pid
        return None

    def agent_with_lock(self, node: str) -> int | None:
        """The same, once it holds the host."""
        pid = self.agent(node)
        if pid is not None:
            with contextlib.suppress(OSError):
                for fd in Path(f"/proc/{pid}/fd").iterdir():
                    if str(fd.readlink()).endswith("/var/lib/nodriza/lock"):
                        return pid
        return None

    def power_cut(self, node: str) -> None:
        """Off, with no word to anybody: no FIN leaves a machine whose cables are out."""
        cluster = self.cluster
        for link in nspawn.links_of(cluster.node(node), wiring.plan(cluster)).values():
            argv = ["ip", "-n", self.netns, "link", "set", link, "down"]
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            assert not done.returncode or "Cannot find device" in done.stderr, done.stderr
        lab.power_cut(cluster, node)

    @contextlib.contextmanager
    def frozen(self, node: str) -> Iterator[None]:
        """Nothing runs on the machine meanwhile, and nobody is told (cgroups(7), the freezer)."""
        cgroup = nspawn.cgroup_of(self.name) / node
        (cgroup / "cgroup.freeze").write_text("1")
        try:
            wait_for(
                "frozen machine", 10, lambda: "frozen 1" in (cgroup / "cgroup.events").read_text()
            )
            yield
        finally:
            (cgroup / "cgroup.freeze").write_text("0")

    def power_on(self, node: str) -> None:
        """On again, and answering SSH."""
        lab.start(self.cluster, node)


def _range(first: int, last: int) -> str:
    """As inventories write it: "[2:3]", or one number."""
    return str(first) if first == last else f"[{first}:{last}]"


def wait_for(
    what: str, seconds: float, question: Callable[[], Any], *, every: float = 0.02
) -> Any:
    """The first answer that is true; fails when there is none in time."""
    until = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < until, f"no {what} within {seconds:.0f} s"
        time.sleep(every)
