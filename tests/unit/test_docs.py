"""What the documents say is there, and what is there is in the documents."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import docutils.core
import docutils.utils
import pytest

import nodriza.role
from nodriza import resources
from nodriza.inventory import load_cluster
from nodriza.plan.plan import plan_node
from nodriza.release.plan import followers
from tests.pages import blocks
from tests.unit.conftest import ROOT

PAGES = sorted([*ROOT.glob("*.rst"), *(ROOT / "docs").glob("*.rst")])
LANGUAGES = {"jinja", "python", "sh", "yaml"}


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page__is_restructuredtext_without_a_warning(page: Path):
    docutils.core.publish_doctree(
        page.read_text("utf-8"),
        source_path=str(page),
        settings_overrides={"halt_level": 2, "report_level": 2, "syntax_highlight": "none"},
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page__names_only_files_that_are_there(page: Path):
    text = page.read_text("utf-8")
    for name in re.findall(r"``((?:nodriza|tests|fabfile)/[\w./-]+)``", text):
        if "NAME" not in name:
            assert (ROOT / name).exists(), f"{page.name} names {name}"
    for name in re.findall(r"``([\w-]+\.rst)``", text):
        folders = (ROOT, ROOT / "docs")
        assert any((folder / name).exists() for folder in folders) or name == "README.rst"
    for name in re.findall(r"<([\w./-]+\.rst)>`_", text):
        assert (page.parent / name).exists(), f"{page.name} leads to {name}"


def test_every_role__has_a_row():
    rows = set(re.findall(r"^``(\w+)`` ", read("docs/roles.rst"), re.MULTILINE))
    assert rows == {path.stem for path in (ROOT / "roles").glob("[a-z]*.py")}


def test_every_noun__is_named_where_roles_are_explained():
    text = read("docs/writing-a-role.rst")
    named = set(resources.__all__) - {"Resource"}
    nouns = [name for name in named if hasattr(getattr(resources, name), "look")]
    assert not [noun for noun in nouns if f"``{noun}``" not in text]


def test_names_that_a_role_imports__are_all_promised_with_their_version():
    text = read("docs/writing-a-role.rst")
    section = text[
        text.index("\nWhat a role imports\n") : text.index("\nThe three plans of a deploy")
    ]
    named = set(re.findall(r"``(\w+)``", section))
    assert named == set(nodriza.role.__all__)
    assert f"of version {nodriza.role.VERSION} " in section


def test_every_command__is_in_the_readme_by_name_or_family():
    said = subprocess.run(
        [Path(sys.executable).with_name("fab"), "--list"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    commands = re.findall(r"^  (\w[\w.-]*) ", said, re.MULTILINE)
    text = read("README.rst")
    inventories = {path.stem for path in (ROOT / "inventories").glob("*.yml")}
    for name in set(commands) - inventories:
        assert f"fab {name.split('.')[0]}" in text or f"make {name}" in text, name


def test_make_targets_of_the_documents__are_there():
    makefile = read("Makefile")
    for page in PAGES:
        for target in re.findall(r"(?:``|\$ )make (\w+)", page.read_text("utf-8")):
            assert f"\n{target}:" in makefile, f"{page.name}: make {target}"


@pytest.fixture
def with_roles_of_the_page(tmp_path, monkeypatch):
    """A cluster with the roles that docs/writing-a-role.rst shows, number 0 and 1."""
    monkeypatch.setenv("NODRIZA_LAB_STATE", str(tmp_path))
    code = blocks("docs/writing-a-role.rst")
    assert set(code) <= LANGUAGES
    for number, (role, name) in enumerate(
        (("munin", "munin-node.conf"), ("beat", "beat.service"))
    ):
        for folder in ("roles", f"templates/{role}", "inventories"):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        python = next(text for text in code["python"] if text.startswith(f'"""{role}: '))
        (tmp_path / f"roles/{role}.py").write_text(python)
        (tmp_path / f"templates/{role}/{name}.j2").write_text(code["jinja"][number])
    lab = read("inventories/three-node.yml").replace("../examples/", f"{ROOT}/examples/")

    def load(number):
        inventory = tmp_path / f"inventories/mine-{number}.yml"
        inventory.write_text(f"{lab}\n{code['yaml'][number]}")
        return load_cluster(inventory)

    return load


def test_role_of_the_page_about_roles__plans(with_roles_of_the_page):
    cluster = with_roles_of_the_page(0)
    plan = plan_node(cluster.node("server-2"), cluster)
    conf = next(p for p in plan.resources if p.resource.id == "file:/etc/munin/munin-node.conf")
    assert "allow ^198\\.18\\.7\\.11$" in conf.resource.content
    peers = next(p.resource for p in plan.resources if p.resource.id == "peers:munin")
    assert (peers.ports, peers.allow) == (("4949",), ("198.18.7.11",))
    # How the node is after all of it stands behind everything.
    assert plan.resources[-2].resource.id == "service:munin-node"


def test_service_of_that_page__is_in_each_deploy_of_its_node(with_roles_of_the_page):
    cluster = with_roles_of_the_page(1)
    node = cluster.node("video-1")
    services = dict(followers(cluster, plan_node(node, cluster)))
    beat = next(service for service in services if service.unit == "beat")
    app = cluster.app
    assert beat.restart_on == (f"link:{app.current}", f"file:{app.environment_file}")
    assert beat.reload_on == ()
