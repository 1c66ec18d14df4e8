"""The same on Debian 13: a small cluster of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.project import Project, Result, wait_for
from tests.lab.resolver import site
from tests.lab.visitor import serving


@pytest.fixture(scope="module")
def trixie(tmp_path_factory: pytest.TempPathFactory, times: dict[str, float]) -> Iterator[Project]:
    """One central node, which is the name server as well, and one child."""
    folder = tmp_path_factory.mktemp("trixie")
    project = Project.make(folder, "nodriza-trixie", 37, children=1, videos=0)
    project.data["nodes"]["server-1"]["roles"] = ["default", "dns"]
    project.data["lab"] = {"release": "trixie"}
    project.write()
    project.times = times
    with project.up():
        yield project


@pytest.fixture(scope="module")
def runs(trixie: Project) -> list[Result]:
    """A check and a provision of bare hosts, and a deploy."""
    found = [trixie.fab(*words, "--json") for words in (["provision", "--check"], ["provision"])]
    trixie.times["Debian 13: provision of bare hosts"] = found[1].seconds
    found[1].well()
    return [*found, trixie.fab("deploy", "--json")]


def test_debian_13__is_provisioned_as_the_check_foretold(
    trixie: Project, runs: list[Result]
) -> None:
    assert "trixie" in trixie.on("server-2", "cat /etc/os-release")
    predicted, done, _ = runs
    for node in ("server-1", "server-2"):
        assert done.statuses(node) == predicted.statuses(node)
    assert trixie.fab("provision", "--json").well().changed() == {}


def test_debian_13__serves_the_application(trixie: Project, runs: list[Result]) -> None:
    runs[2].well()
    wait_for("answer of the child", 30, lambda: serving(trixie.cluster))
    failed = "systemctl --failed --no-legend --plain | grep -v run-rpc_pipefs"
    for node in ("server-1", "server-2"):
        assert trixie.on(node, failed, check=False) == ""


def test_debian_13__answers_for_its_name(trixie: Project, runs: list[Result]) -> None:
    runs[2].well()
    wait_for("answer of the child", 30, lambda: serving(trixie.cluster))
    trixie.fab("provision").well()
    assert site(trixie, "server-1") == ["server-2"]
    refused = trixie.fab("drain", "server-2")
    assert refused.exit == 2
    assert "nobody to serve" in refused.said
    assert site(trixie, "server-1") == ["server-2"]
