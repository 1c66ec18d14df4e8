"""Whatever ends a run, and whenever: the next one ends as if nothing had been.

In each round every machine of a cluster has a run of its own, all at the same time: a
provision with changed settings, or, on the central, a deploy. Each has an accident at a
random instant, and so has the next one that would mend it, up to three in a row. Then
nobody disturbs anything: the same commands once more, and every machine is as it was after
a round without accidents.

``NODRIZA_CHAOS`` says how many accidents there are to be (``make chaos``: two hundred),
``NODRIZA_SEED`` repeats them.
"""

from __future__ import annotations

import collections
import contextlib
import math
import os
import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from nodriza.change.deploy import read, release_id, requirements
from nodriza.source.tree import Source
from tests.lab.accidents import WAYS, Way
from tests.lab.conftest import ACCIDENTS
from tests.lab.project import Project, wait_for
from tests.lab.reading import unread
from tests.lab.test_4_killed import MB, SEED
from tests.lab.visitor import get, serving, upload_is_refused, whoami

CENTRAL = "server-1"
CHILDREN = tuple(f"server-{number}" for number in range(2, 7))
NODES = (CENTRAL, *CHILDREN, "video-1", "video-2")
WANTED = int(os.environ.get("NODRIZA_CHAOS", "6"))
IN_A_ROW = 3
ROUNDS = math.ceil(WANTED * 0.4 / len(NODES))
"""Some accidents come too late, when their run is over; those do not count."""
SETTINGS = (
    {"threads": 2, "max_upload_mb": 300, "memory_mb": 1024},
    {"threads": 3, "max_upload_mb": 301, "memory_mb": 1280},
)
"""Every service has something to follow when one takes the place of the other."""

# What is on disk, and what runs with it. Nothing in it differs from run to run.
STATE = r"""
cd /
find etc root usr/local -xdev -printf '%y %m %u:%g %p -> %l\n' | sort
find etc root usr/local -xdev -type f -print0 | sort -z | xargs -0 sha256sum
dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\n'
getent passwd; getent group
systemctl list-unit-files --no-legend --no-pager | grep -v transient
systemctl list-units --failed --no-legend --plain | grep -v rpc_pipefs
for left in new old; do find etc root home run usr/local var -xdev -name "*.nodriza-$left"; done
ls /var/lib/nodriza/owed
stats=/run/uwsgi/videoteca.stats.sock
test ! -S $stats || uwsgi-core --connect-and-read $stats 2>&1 | grep -c '"in_request"'
test ! -d /run/mysqld || mariadb -NBe 'SELECT @@max_connections, @@innodb_buffer_pool_size'
set -a; test ! -d /run/redis || . /etc/redis/admin.env
test ! -d /run/redis || redis-cli --user admin CONFIG GET maxmemory
celery=$(pgrep -of 'celery .*worker' || true)
test ! "$celery" || tr '\0' '\n' </proc/$celery/environ | grep MAX_UPLOAD
"""
RELEASE = """
cd /opt/videoteca && find . -path './venvs/*/*' -prune -o -name '*.nodriza-new' -print \
    -o -name '*.nodriza-old' -print
cd current/app && find . -name __pycache__ -prune -o -type f ! -name .nodriza-upload -print0 \
    | sort -z | xargs -0 sha256sum
"""


@dataclass
class Chaos:
    """A cluster, and how it is after rounds in which nothing happened."""

    project: Project
    spans: dict[str, float] = field(default_factory=dict)
    """Seconds that the agent works for each command; the shortest that was seen."""
    states: list[dict[str, str]] = field(default_factory=list)
    """For each of the settings, by node."""

    def change(self, number: int) -> None:
        """Give every run something to do."""
        settings = dict(SETTINGS[number % 2])
        self.project.data["nodes"][CENTRAL]["memory_mb"] = settings.pop("memory_mb")
        self.project.write(**settings)
        (self.project.folder / "videoteca/chaos.txt").write_text(f"{SEED} {number}\n")

    def run(self, node: str, word: str, way: Way | None = None, after: float = 0.0) -> bool:
        """A run on a node; with a ``way``, an accident. Returns whether it came in time."""
        struck = False
        with self.project.start(word) as process:
            with contextlib.suppress(AssertionError):  # over before we saw it
                wait_for("agent", 60, lambda: self.project.agent(node), every=0.05)
            began = time.monotonic()
            if way is not None:
                time.sleep(after)
                struck = process.poll() is None and self.project.agent(node) is not None
                if struck:
                    way(self.project, node, process)
            out, err = process.communicate(timeout=400)
        assert "Traceback" not in out + err, out + err
        assert process.returncode in (0, 1, -signal.SIGKILL), out + err
        # With accidents elsewhere a run may fail without one of its own: its share went away.
        assert way is not None or process.returncode == 0, out + err
        if not struck:
            took = time.monotonic() - began
            self.spans[word] = min(took, self.spans.get(word, took))
        # A minute for a child to be well, its old files back, and a minute more: so long when
        # the central is away meanwhile.
        wait_for("end of the agent", 300, lambda: not self.project.agent(node), every=0.2)
        return struck

    def streak(self, node: str, word: str, ways: list[tuple[Way, float]]) -> list[Way]:
        """Accident after accident, until one comes too late; those that came in time."""
        struck: list[Way] = []
        for way, part in ways:
            if not self.run(node, word, way, part * self.spans[word]):
                break
            struck.append(way)
        return struck

    def mend(self) -> None:
        """The same commands, undisturbed."""
        self.project.fab("provision").well()
        self.project.fab("deploy").well()
        cluster = self.project.cluster
        source = read(cluster)
        release = release_id(source, requirements(cluster, source))
        for child in CHILDREN:
            # A child that has lost its power comes back by itself meanwhile.
            wait_for(
                f"release on {child}",
                120,
                lambda child=child: whoami(cluster, child).get("release") == release,
                every=0.3,
            )

    def state(self) -> dict[str, str]:
        """Of every node."""
        with ThreadPoolExecutor(4) as pool:
            texts = pool.map(lambda node: self.project.on(node, STATE, check=False), NODES)
            return dict(zip(NODES, texts, strict=True))


@pytest.fixture(scope="module")
def chaos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chaos]:
    folder = tmp_path_factory.mktemp("chaos")
    project = Project.make(folder, "chaos", 137, children=len(CHILDREN), videos=2)
    with project.up("provision", "deploy"):
        wait_for("answer of every child", 120, lambda: serving(project.cluster))
        yield _undisturbed(Chaos(project))


def _undisturbed(chaos: Chaos) -> Chaos:
    """Two rounds without an accident, one for each of the settings."""
    for number, word in ((1, "deploy"), (0, f"provision:{CENTRAL}")):
        chaos.change(number)
        together([(chaos.run, node, _word(node, word)) for node in NODES])
        chaos.mend()
        chaos.states.insert(0, chaos.state())
    return chaos


def _word(node: str, central: str) -> str:
    return central if node == CENTRAL else f"provision:{node}"


def together(calls: list[Any]) -> list[Any]:
    """All at once; every one of them ends before the first that failed is told."""
    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(*call) for call in calls]
    return [future.result() for future in futures]


@pytest.mark.parametrize("number", range(ROUNDS))
def test_accidents__leave_no_trace_after_the_next_run(
    chaos: Chaos, number: int, pytestconfig: pytest.Config
) -> None:
    chance = random.Random(f"{SEED} {number}")
    chaos.change(number + 1)
    plans = []
    for node in NODES:
        word = _word(node, chance.choice(["deploy", "deploy", f"provision:{CENTRAL}"]))
        ways = [(chance.choice(WAYS), chance.random()) for _ in range(IN_A_ROW)]
        told = ", ".join(f"{way.__name__} at {part:.3f}" for way, part in ways)
        print(f"NODRIZA_SEED={SEED}, {node}: {word}: {told} of {chaos.spans[word]:.3f} s")  # noqa: T201
        plans.append((chaos.streak, node, word, ways))
    struck = together(plans)
    counts = pytestconfig.stash.setdefault(ACCIDENTS, collections.Counter())
    for ways, (_, _, word, _) in zip(struck, plans, strict=True):
        counts.update(f"{word.partition(':')[0]}, {way.__name__}" for way in ways)
    chaos.mend()
    assert_as_without(chaos, number + 1)


def assert_as_without(chaos: Chaos, number: int) -> None:
    """Each machine is as it was after the round in which nothing happened."""
    project = chaos.project
    assert project.fab("provision", "--json").well().changed() == {}
    assert unread(project) == []
    states = chaos.state()
    for node in NODES:
        assert states[node].splitlines() == chaos.states[number % 2][node].splitlines(), node
    assert project.on(CENTRAL, RELEASE) == checksums(read(project.cluster))
    cluster, size = project.cluster, SETTINGS[number % 2]["max_upload_mb"]
    for child in CHILDREN:
        for _ in range(4):  # so that each worker had its turn
            _, _, page = get(cluster.node(child).web_address, "/upload/", cluster.domain)
            assert f"up to {size} MB" in page, child
        assert upload_is_refused(cluster, child, (size + 1) * MB + 1), child
        assert not upload_is_refused(cluster, child, (size + 1) * MB), child


def checksums(source: Source) -> str:
    """What sha256sum says of its files."""
    sums = {f"./{entry.name}": entry.content.sha256 for entry in source.entries}
    return "".join(f"{sums[name]}  {name}\n" for name in sorted(sums, key=os.fsencode))
