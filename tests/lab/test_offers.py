"""An own role that others reach: the example of docs/writing-a-role.rst, word for word."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from nodriza.smoke import Site
from nodriza.smoke.checks import services_refuse_strangers
from tests.lab.project import Project
from tests.pages import blocks

GREETING = "# munin node at server-2"
ASK = """
import socket
try:
    with socket.create_connection((%r, 4949), timeout=5) as line:
        print(line.recv(100).decode())
except OSError as error:
    print("refused:", error)
"""


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, times: dict[str, float]
) -> Iterator[Project]:
    """Provisioned with the role munin on every node; the central node needs it."""
    project = Project.make(tmp_path_factory.mktemp("offers"), "laboffers", 90)
    project.times = times
    code = blocks("docs/writing-a-role.rst")
    for path, text in (
        ("roles/munin.py", code["python"][0]),
        ("templates/munin/munin-node.conf.j2", code["jinja"][0]),
    ):
        (project.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (project.folder / path).write_text(text)
    project.data.update(yaml.safe_load(code["yaml"][0]))
    project.write()
    with project.up("provision"):
        yield project


def ask(project: Project, node: str, address: str) -> str:
    """What munin's port of server-2 answers to a node."""
    return project.on(node, "python3 -", stdin=ASK % address)


def test_port__answers_the_node_that_needs_it(project: Project) -> None:
    server = project.cluster.node("server-2")
    assert GREETING in ask(project, "server-1", server.private)


def test_port__refuses_every_other_node_and_strangers(project: Project) -> None:
    server = project.cluster.node("server-2")
    for node in ("server-3", "video-1"):
        assert "refused:" in ask(project, node, server.private)
    site = Site(project.cluster)
    services_refuse_strangers(site)
    assert not site.is_open(server.private, 4949)
    assert not site.is_open(str(server.public), 4949)


def test_second_run__changes_nothing(project: Project) -> None:
    assert project.fab("provision", "--json").well().changed() == {}
    assert "munin-node 2." in project.fab("status").stdout


def test_picture__shows_who_may_ask(project: Project) -> None:
    project.fab("topology", "--output", "cluster.svg").well()
    assert "munin 4949" in (project.folder / "cluster.svg").read_text()
