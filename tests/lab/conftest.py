"""One real cluster for all of the tests in this folder.

It is brought up bare, and taken away at the end. ``NODRIZA_KEEP_LAB=1`` leaves it up
(``NODRIZA_NO_LAB=1`` runs none of these tests, and says so).

``bare`` → ``predicted`` (a check) → ``provisioned`` → ``deployed``: each runs once, when
the first test asks for it, and its result is what the tests look at. So every test runs
alone as well, and in any order.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nodriza.lab import programs, state
from tests.lab.project import Project, Result, wait_for
from tests.lab.resolver import TTL
from tests.lab.visitor import serving, taken_over

HERE = Path(__file__).parent
NODES = ("server-1", "server-2", "server-3", "video-1")
TIMES = pytest.StashKey[dict[str, float]]()
NOT_RUN = pytest.StashKey[int]()
ACCIDENTS = pytest.StashKey[Counter[str]]()
"""How many of each there were, told at the end."""
# Two outputs of it are compared: everything that a check must not change.
STATE = """
dpkg-query -W
find /etc /root /var/lib /usr/local /srv -xdev -not -path '/var/lib/private*' \
    -newer /root/.bare -not -path '/var/lib/systemd/*' | sort
systemctl list-unit-files --no-legend --no-pager
getent passwd; getent group
"""
LONG = {
    "test_aboard.py",
    "test_asgi.py",
    "test_backup.py",
    "test_backup_placed.py",
    "test_build.py",
    "test_deploys.py",
    "test_edges.py",
    "test_4_killed.py",
    "test_6_secrets.py",
    "test_chaos.py",
    "test_database.py",
    "test_hostile_host.py",
    "test_day2.py",
    "test_good_citizen.py",
    "test_judged.py",
    "test_left_behind.py",
    "test_mixed.py",
    "test_moving.py",
    "test_offers.py",
    "test_one_machine.py",
    "test_gateways.py",
    "test_own_repository.py",
    "test_own_roles.py",
    "test_processes.py",
    "test_reading.py",
    "test_rotation.py",
    "test_services.py",
    "test_sources.py",
    "test_static.py",
    "test_strangers.py",
    "test_tasks.py",
    "test_tls.py",
    "test_trixie.py",
    "test_visitors.py",
    "test_visitors_proxied.py",
    "test_weather.py",
}
"""Each with a cluster of its own, or a great many runs: ``make test-long``."""
LOCK = Path("/run/lock/nodriza-lab-tests.lock")
VERBOSE = "/etc/ssh/sshd_config.d/20-verbose.conf"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs real hosts; take it out when somebody says so."""
    ours = [item for item in items if HERE in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.lab)
        if item.path.name in LONG:
            item.add_marker(pytest.mark.long)
    if os.environ.get("NODRIZA_NO_LAB") == "1" and ours:
        items[:] = [item for item in items if item not in ours]
        config.hook.pytest_deselected(items=ours)
        config.stash[NOT_RUN] = len(ours)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """What was not run, in words, and how long the cluster took for its work."""
    if config.stash.get(NOT_RUN, 0):
        number = config.stash[NOT_RUN]
        terminalreporter.write_line(f"not run: {number} lab tests (NODRIZA_NO_LAB=1)", red=True)
    times = config.stash.get(TIMES, {})
    if times:
        terminalreporter.section("times in the lab")
        for name, seconds in times.items():
            terminalreporter.write_line(f"{seconds:8.1f} s  {name}")

    accidents = config.stash.get(ACCIDENTS, Counter())
    if accidents:
        terminalreporter.section(f"{accidents.total()} accidents")
        for name, number in sorted(accidents.items()):
            terminalreporter.write_line(f"{number:8}    {name}")


@pytest.fixture(scope="session")
def times(pytestconfig: pytest.Config) -> dict[str, float]:
    """Seconds by what took them, shown at the end."""
    return pytestconfig.stash.setdefault(TIMES, {})


@pytest.fixture(scope="session", autouse=True)
def _able() -> None:
    """A lab that can't be is an error in words, not a skip: what was not run is not right."""
    programs.require()


@pytest.fixture(scope="session")
def project(
    tmp_path_factory: pytest.TempPathFactory, times: dict[str, float]
) -> Iterator[Project]:
    """An operator's folder; its lab is up, of machines that nobody has touched."""
    project = Project.make(tmp_path_factory.mktemp("operator"), "nodriza-test", 27)
    project.times = times
    # Held until the end: a second run of these tests must not take this one's lab away.
    with state.locked(LOCK, busy="another run of the lab tests is at work", seconds=1):
        yield from _lab(project)


def _lab(project: Project) -> Iterator[Project]:
    with project.up():
        for node in NODES:
            # sshd then tells every session that it starts.
            verbose = f"echo LogLevel VERBOSE >{VERBOSE} && systemctl restart ssh"
            project.on(node, f"{verbose}; sleep 0.1; touch /root/.bare; sleep 0.1")
        yield project


@pytest.fixture(scope="session")
def named(tmp_path_factory: pytest.TempPathFactory, times: dict[str, float]) -> Iterator[Project]:
    """A cluster of its own that answers for its own name; two files of tests share it."""
    project = Project.make(tmp_path_factory.mktemp("named"), "named", 107)
    project.times = times
    nodes = project.data["nodes"]
    del nodes["video-1"]
    nodes["server-1"]["roles"] = ["default", "dns"]
    places = {"private": "198.18.107.22", "public": "198.18.108.22"}
    nodes["ns-2"] = {"kind": "video", **places, "roles": ["base", "firewall", "dns"]}
    project.data["dns"] = {"ttl": TTL}
    project.write()
    text = project.inventory.read_text()
    text = text.replace("  server-[2:3]:", "  # Those who serve.\n  server-[2:3]:  # two, for now")
    project.inventory.write_text(text.replace("\nlab:", "\n\n# Never among real hosts.\nlab:"))
    project.fab("lab.down").well()  # what a run before this one may have left
    try:
        project.fab("lab.up").well()
        project.times["provision of a cluster with name servers"] = (
            project.fab("provision").well().seconds
        )
        project.fab("deploy").well()
        wait_for("answer of every child", 120, lambda: serving(project.cluster))
        yield project
    finally:
        if os.environ.get("NODRIZA_KEEP_LAB") != "1":
            project.fab("lab.down").well()


@pytest.fixture(scope="session")
def before_and_after(project: Project) -> dict[str, list[str]]:
    """The state of each bare host, filled around the first check."""
    return {node: [project.on(node, STATE)] for node in NODES}


@pytest.fixture(scope="session")
def predicted(project: Project, before_and_after: dict[str, list[str]]) -> Result:
    """A check of bare hosts."""
    result = project.fab("provision", "--check", "--json")
    project.times["provision --check of bare hosts"] = result.seconds
    for node in NODES:
        before_and_after[node].append(project.on(node, STATE))
    return result


@pytest.fixture(scope="session")
def first(project: Project, predicted: Result) -> Result:
    """The first provision, however it ended."""
    result = project.fab("provision", "--json")
    project.times["provision of bare hosts"] = result.seconds
    return result


@pytest.fixture(scope="session")
def provisioned(project: Project, first: Result) -> Project:
    """The cluster, provisioned."""
    first.well()
    return project


@pytest.fixture(scope="session")
def first_deploy(provisioned: Project) -> Result:
    """The first deploy, however it ended."""
    result = provisioned.fab("deploy", "--json")
    provisioned.times["deploy"] = result.seconds
    return result


@pytest.fixture(scope="session")
def deployed(provisioned: Project, first_deploy: Result) -> Project:
    """The cluster, serving the application."""
    first_deploy.well()
    project = provisioned
    wait_for("answers of every worker", 120, lambda: taken_over(project.cluster, project.on))
    return project


@pytest.fixture
def mended(deployed: Project) -> Iterator[Project]:
    """The cluster for a test that leaves it other than it found it."""
    yield from _mended(deployed)


@pytest.fixture(scope="module")
def mended_at_the_end(deployed: Project) -> Iterator[Project]:
    """The same, for tests that mend it for each other."""
    yield from _mended(deployed)


def _mended(project: Project) -> Iterator[Project]:
    yield project
    project.write()
    project.fab("lab.up").well()
    project.fab("provision", "--json").well()
    wait_for("answer of every child", 60, lambda: serving(project.cluster))
