"""Debian 12 and Debian 13 in one cluster, whichever of them the central node has."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.project import Project, Result, wait_for
from tests.lab.visitor import Visitor, taken_over

PYTHONS = {"bookworm": (3, 11), "trixie": (3, 13)}
SAME, OTHER, VIDEO = "server-2", "server-3", "video-1"
CHILDREN = (SAME, OTHER)
VENV = "/opt/videoteca/current/venv"


@pytest.fixture(scope="module", params=["bookworm", "trixie"])
def mixed(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    times: dict[str, float],
) -> Iterator[Project]:
    """Half of the nodes have the other release of Debian."""
    other = next(name for name in PYTHONS if name != request.param)
    folder = tmp_path_factory.mktemp("mixed")
    project = Project.make(folder, f"mixed-{request.param}", 60)
    machines = dict.fromkeys((OTHER, VIDEO), other)
    project.data["lab"] = {"release": request.param, "releases": machines}
    project.write()
    project.times = times
    with project.up("provision"):
        yield project


@pytest.fixture(scope="module")
def first(mixed: Project) -> Result:
    """The first deploy of all."""
    done = mixed.fab("deploy", "--json", timeout=900).well()
    mixed.times[f"{mixed.name}: first deploy"] = done.seconds
    return done


def own(project: Project) -> tuple[int, int]:
    """The Python of the central node."""
    return PYTHONS[project.data["lab"]["release"]]


def app(project: Project) -> Path:
    return project.folder / "videoteca"


def venv(project: Project, node: str) -> str:
    return project.on(node, f"readlink -f {VENV}").strip()


def serves(project: Project, node: str) -> str:
    return project.on(node, "basename $(readlink /opt/videoteca/current)").strip()


def serve_all(project: Project) -> None:
    wait_for("new workers", 120, lambda: taken_over(project.cluster, project.on), every=0.5)


def test_release__is_served_by_both(mixed: Project, first: Result) -> None:
    serve_all(mixed)
    assert {serves(mixed, node) for node in ("server-1", VIDEO)} == {serves(mixed, SAME)}
    code = "import sys, django; print(sys.version_info[:2])"
    for node in ("server-1", *CHILDREN, VIDEO):
        said = mixed.on(node, f"{VENV}/bin/python -c '{code}'").strip()
        assert (said == str(own(mixed))) == (node in ("server-1", SAME))
    others = f"find {venv(mixed, OTHER)}/ ! -user root -o -perm /022 ! -type l"
    assert mixed.on(OTHER, others) == ""
    assert (
        mixed.on(OTHER, "ls -A /opt/videoteca") == "current\nnewest\nreleases\nuv\nuv.txt\nvenvs\n"
    )
    assert "uv\n" not in mixed.on(SAME, "ls /opt/videoteca"), "nothing is built there"
    assert mixed.fab("drift").exit == 0
    mixed.fab("smoke", inside=True).well()


def test_changed_line__needs_no_new_environment_and_a_check_knows(
    mixed: Project, first: Result
) -> None:
    with (app(mixed) / "videoteca" / "urls.py").open("a") as file:
        file.write("# one line more\n")
    check = mixed.fab("deploy", "--check", "--json").well()
    done = mixed.fab("deploy", "--json").well()
    mixed.times[f"{mixed.name}: a changed line"] = done.seconds
    for node in (*CHILDREN, VIDEO):
        environment = [id for id in done.statuses(node) if id.startswith("environment:")]
        assert not {*environment} & {*check.changed()[node], *done.changed()[node]}
    assert mixed.fab("deploy", "--json").well().changed() == {}


def test_environment_of_its_own__that_somebody_has_changed_is_seen_and_mended(
    mixed: Project, first: Result
) -> None:
    evil = f"{venv(mixed, OTHER)}/lib/evil.py"
    mixed.on(OTHER, f"echo evil >{evil}")
    seen = mixed.fab("drift")
    assert seen.exit == 2
    assert f"{OTHER}  differs  environment:" in seen.said
    with Visitor(mixed.cluster) as visitor:
        mixed.fab("deploy", timeout=900).well()
    assert not visitor.bad, "it was made beside its place"
    assert mixed.on(OTHER, f"ls {evil}", check=False) == ""
    assert mixed.fab("drift").exit == 0


def test_code_for_one_python_only__serves_nowhere(mixed: Project, first: Result) -> None:
    before = serves(mixed, SAME)
    path = app(mixed) / "videoteca" / "wsgi.py"
    text = path.read_text()
    path.write_text(f"import sys\nassert sys.version_info[:2] == {own(mixed)}, 'not mine'\n{text}")
    failed = mixed.fab("deploy")
    path.write_text(text)
    assert failed.exit == 1
    assert f"FAILED  {OTHER}  trial:" in failed.said
    assert f"FAILED  {VIDEO}  trial:" in failed.said
    assert "AssertionError: not mine" in failed.said
    assert f"release {before} goes on serving" in failed.said
    assert {serves(mixed, node) for node in (*CHILDREN, VIDEO)} == {before}


def test_requirement_that_one_python_lacks__serves_nowhere(mixed: Project, first: Result) -> None:
    before = serves(mixed, SAME)
    path = app(mixed) / "requirements.txt"
    text = path.read_text()
    number = ".".join(map(str, own(mixed)))
    path.write_text(f"{text}sqlparse==99.9; python_version != '{number}'\n")
    failed = mixed.fab("deploy")
    path.write_text(text)
    assert failed.exit == 1
    assert f"FAILED  {OTHER}  environment:" in failed.said
    assert "Its own environment can't be made:" in failed.said
    assert {serves(mixed, node) for node in (*CHILDREN, VIDEO)} == {before}
    assert mixed.on(OTHER, "ls -A /opt/videoteca/venvs | wc -l") == "1\n", "nothing is left of it"


def test_killed_while_it_builds__nothing_is_left_and_the_next_deploy_serves(
    mixed: Project, first: Result
) -> None:
    path = app(mixed) / "requirements.txt"
    path.write_text(path.read_text() + "iniconfig\n")
    state = "systemctl is-active nodriza-videoteca-environment"
    with mixed.start("deploy") as deploy:
        until = time.monotonic() + 200
        while mixed.on(OTHER, state, check=False).strip() not in ("active", "activating"):
            assert time.monotonic() < until
            time.sleep(0.2)
        agent = mixed.agent(OTHER)
        assert agent
        os.kill(agent, signal.SIGKILL)
        deploy.wait(120)
    assert deploy.returncode == 1
    done = mixed.fab("deploy", timeout=900).well()
    mixed.times[f"{mixed.name}: a requirement more, after a killed deploy"] = done.seconds
    for node in (*CHILDREN, VIDEO):
        mixed.on(node, f"{VENV}/bin/python -c 'import iniconfig'")
        assert mixed.on(node, "ls -A /opt/videoteca/venvs | grep '^[.]'", check=False) == ""
    assert mixed.on(OTHER, "ls /opt/videoteca") == "current\nnewest\nreleases\nuv\nuv.txt\nvenvs\n"


def test_way_back__finds_the_environment_of_before(mixed: Project, first: Result) -> None:
    now = venv(mixed, OTHER)
    done = mixed.fab("deploy", "--rollback", "--json").well()
    assert not [id for id in done.changed()[OTHER] if id.startswith("environment:")]
    assert venv(mixed, OTHER) != now
    serve_all(mixed)
    assert mixed.fab("drift").exit == 0
