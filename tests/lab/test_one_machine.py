"""One machine that is a whole cluster: from bare to serving, back from a bad release, and grown by
a line."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.lab.project import ROOT, Project, wait_for
from tests.lab.visitor import Visitor, serving, whoami

EXAMPLE = ROOT / "inventories/one-machine.example.yml"
NET = "198.18.180"


def one_machine(folder: Path, name: str, third: int) -> Project:
    """The shipped example in a lab's addresses."""
    project = Project.make(folder, name, third, children=0, videos=0)
    data = yaml.safe_load(EXAMPLE.read_text())
    data |= {key: project.data[key] for key in ("cluster", "domain", "networks", "app", "lab")}
    data["nodes"]["server-1"] |= {
        "private": f"198.18.{third}.11",
        "public": f"198.18.{third + 1}.11",
        "memory_mb": 1536,
    }
    project.data = data
    project.write()
    return project


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, times: dict[str, float]
) -> Iterator[Project]:
    """Provisioned from bare, and deployed."""
    project = one_machine(tmp_path_factory.mktemp("one"), "labone", 180)
    project.times = times
    with project.up("provision", "deploy"):
        wait_for("pages", 60, lambda: serving(project.cluster))
        yield project


def release(project: Project, words: str) -> None:
    """Another one, or one that does not work."""
    settings = project.folder / "videoteca/videoteca/settings.py"
    text = settings.read_text().partition("\n# release: ")[0]
    settings.write_text(f"{text}\n# release: {time.time()}\n{words}\n")


def test_one_machine__serves_makes_videos_and_refuses_strangers(project: Project) -> None:
    said = project.fab("smoke", timeout=900).well().stdout
    assert "every child answers on the web and says its own name" in said
    assert "what nodes offer each other refuses strangers, on every node" in said


def test_second_run__changes_nothing(project: Project) -> None:
    assert project.fab("provision", "--json").well().changed() == {}
    assert project.fab("deploy", "--json").well().changed() == {}
    assert "server-1" in project.fab("status", timeout=60).well().stdout
    project.fab("drift").well()


def test_release__is_taken_without_a_lost_request_and_written_down(project: Project) -> None:
    old = whoami(project.cluster, "server-1")["release"]
    release(project, "")
    with Visitor(project.cluster, "/") as visitor:
        done = project.fab("deploy", "--json").well()
        time.sleep(2)
    assert visitor.bad == []
    assert {"service:uwsgi", "service:celery"} <= {*done.changed()["server-1"]}
    assert whoami(project.cluster, "server-1")["release"] != old


def test_bad_release__goes_back_and_nobody_sees_it(project: Project) -> None:
    old = whoami(project.cluster, "server-1")["release"]
    release(project, INSIDE.format(how='MIDDLEWARE = ["no.such.Middleware"]'))
    with Visitor(project.cluster, "/") as visitor:
        done = project.fab("deploy")
        time.sleep(2)
    assert done.exit == 1
    assert "goes on serving" in done.said
    assert whoami(project.cluster, "server-1")["release"] == old
    assert visitor.answers > 20
    release(project, "")
    project.fab("deploy").well()


INSIDE = """
try:
    import uwsgi
except ImportError:
    pass
else:
    {how}
"""
"""It works wherever it is tried, and not where it serves."""


def test_variable_that_a_release_needs__comes_with_it_and_not_before(project: Project) -> None:
    path = project.cluster.app.environment_file
    release(project, "import os; NEEDED = os.environ['NEEDED']; 1 / 0")
    project.write(environment={"NEEDED": "yes"})
    assert project.fab("deploy").exit == 1
    assert "NEEDED" not in project.on("server-1", f"cat {path}")
    release(project, "import os; NEEDED = os.environ['NEEDED']")
    project.fab("deploy").well()
    assert "NEEDED" in project.on("server-1", f"cat {path}")
    project.fab("provision").well()  # other variables restart uWSGI
    assert project.fab("provision", "--json").well().changed() == {}


def test_rollback__goes_to_the_release_before(project: Project) -> None:
    project.write()
    release(project, "")
    project.fab("deploy").well()
    now = whoami(project.cluster, "server-1")["release"]
    release(project, "")
    project.fab("deploy").well()
    assert whoami(project.cluster, "server-1")["release"] != now
    project.fab("deploy", "--rollback").well()
    assert whoami(project.cluster, "server-1")["release"] == now


def test_second_machine__is_a_line_and_serves_what_the_first_one_does(project: Project) -> None:
    place = ("--private", f"{NET}.12", "--public", "198.18.181.12")
    alone = project.cluster
    project.fab("node.add", "server-2", *place).well()
    project.data = yaml.safe_load(project.inventory.read_text())
    project.fab("lab.up").well()
    with Visitor(alone, "/") as visitor:
        project.fab("provision", timeout=900).well()
    assert visitor.bad == []
    wait_for("pages of both", 60, lambda: serving(project.cluster))
    releases = {whoami(project.cluster, name)["release"] for name in ("server-1", "server-2")}
    assert len(releases) == 1
    said = project.fab("smoke", timeout=900).well().stdout
    assert "a file uploaded through one child is served by another" in said
    assert project.fab("provision", "--json").well().changed() == {}


def test_release__is_served_by_both_or_by_neither(project: Project) -> None:
    old = whoami(project.cluster, "server-1")["release"]
    ill = 'MIDDLEWARE = ["no.such.Middleware"]'
    how = f'import os; exec(\'if os.environ["NODE_NAME"] == "server-2": {ill}\')'
    release(project, INSIDE.format(how=how))
    done = project.fab("deploy")
    assert done.exit == 1
    for name in ("server-1", "server-2"):
        assert whoami(project.cluster, name)["release"] == old
    release(project, "")
    with Visitor(project.cluster, "/") as visitor:
        project.fab("deploy").well()
        time.sleep(2)
    assert visitor.bad == []
    new = {whoami(project.cluster, name)["release"] for name in ("server-1", "server-2")}
    assert len(new) == 1
    assert old not in new
    assert project.fab("provision", "--json").well().changed() == {}


def test_share_of_one_machine__is_a_folder_where_it_is_nfs(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """No kernel needs NFS for it. What is not the lab's own inventory has the engine it says."""
    project = one_machine(tmp_path_factory.mktemp("folder"), "labfolder", 182)
    project.data["share"] = {"engine": "nfs"}
    project.write()
    with project.up():
        project.inventory.with_name("labfolder.secrets.age").touch()
        name = project.as_real_hosts("real")
        text = yaml.safe_load(project.inventory.with_name("real.yml").read_text())
        text["share"] = {"engine": "nfs"}
        project.inventory.with_name("real.yml").write_text(yaml.safe_dump(text))
        project.inventory.with_name("real.secrets.age").unlink()
        for command in ("provision", "deploy"):
            project.fab(name, command, inside=True, timeout=1200).well()
        assert project.on("server-1", "findmnt -n /srv/videoteca || true") == ""
        assert "2049" not in project.on("server-1", "ss -Hltn; nft list ruleset")
        assert project.on("server-1", "readlink /opt/videoteca/current").startswith("/srv/")
        project.fab(name, "smoke", inside=True, timeout=900).well()
        again = project.fab(name, "provision", "--json", inside=True).well()
        assert again.changed() == {}
