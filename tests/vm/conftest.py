"""One cluster of virtual machines for all of the tests in this folder, with real NFS.

Where the processor is emulated this takes the better part of an hour; every wait is made
for that. ``NODRIZA_KEEP_LAB=1`` leaves the machines up.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from nodriza import lab
from nodriza.lab import network
from nodriza.smoke import Site
from tests.lab.project import EXAMPLE, ROOT, Project, wait_for
from tests.lab.visitor import taken_over

HERE = Path(__file__).parent
TIMES = pytest.StashKey[dict[str, float]]()
BOX = "nodriza/bookworm64"
PATIENCE = 3600
"""Seconds for the longest command."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.vm)
    # libvirt works for one lab at a time: those that make one of their own come first.
    items.sort(key=lambda item: HERE in item.path.parents and "project" in _fixtures(item))


def _fixtures(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    times = config.stash.get(TIMES, {})
    if times:
        terminalreporter.section("times in the virtual machines")
        for name, seconds in times.items():
            terminalreporter.write_line(f"{seconds:8.1f} s  {name}")


@pytest.fixture(scope="session")
def times(pytestconfig: pytest.Config) -> dict[str, float]:
    """Seconds by what took them, shown at the end."""
    return pytestconfig.stash.setdefault(TIMES, {})


@pytest.fixture(scope="session")
def project(
    tmp_path_factory: pytest.TempPathFactory, times: dict[str, float]
) -> Iterator[Project]:
    """An operator's folder with the shipped inventory of virtual machines; they are up."""
    folder = tmp_path_factory.mktemp("operator")
    data = yaml.safe_load((ROOT / "inventories" / "vagrant.yml").read_text())
    data["cluster"] = "vmtest"
    data["app"]["source"] = "../videoteca"
    data["lab"]["box"] = BOX
    (folder / "inventories").mkdir()
    (folder / "fabfile.py").write_text("from nodriza.fabfile import ns  # noqa: F401\n")
    shutil.copytree(EXAMPLE, folder / "videoteca", ignore=shutil.ignore_patterns("__pycache__"))
    project = Project(folder, "vmtest", data, times=times)
    project.write()
    took(project, "lab.box", "--installed")
    try:
        took(project, "lab.up")
        lab.reach(project.cluster)
        yield project
    finally:
        network.leave(project.netns)
        if os.environ.get("NODRIZA_KEEP_LAB") != "1":
            took(project, "lab.down")


def took(project: Project, *words: str) -> str:
    """What a command says that ends well; its time is written down."""
    boxes = os.environ.get("VAGRANT_HOME") or str(Path.home() / ".vagrant.d")
    result = project.fab(*words, timeout=PATIENCE, env={"VAGRANT_HOME": boxes}).well()
    project.times[" ".join(words)] = result.seconds
    return result.said


@pytest.fixture(scope="session")
def deployed(project: Project) -> Project:
    """Provisioned, and serving the application."""
    took(project, "provision")
    took(project, "deploy")
    cluster = project.cluster
    site = Site(cluster)

    def on(node: str, script: str) -> str:
        return site.on(cluster.node(node), "sh", "-c", script)

    wait_for("answers of every worker", 600, lambda: taken_over(cluster, on))
    return project


@pytest.fixture
def site(deployed: Project) -> Site:
    """The cluster as visitors see it, and a way to look on its nodes as root."""
    return Site(deployed.cluster)
