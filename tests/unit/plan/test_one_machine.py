"""One machine that is a central node and a child in one; a second one is a line."""

from __future__ import annotations

import pytest
import yaml

from nodriza.inventory import load_cluster
from nodriza.plan.offers import server, users
from nodriza.plan.plan import plan_node
from nodriza.release.release import takers
from nodriza.resources import File, Health, Mount, Service, to_data
from nodriza.watch.topology import draw
from tests.unit.conftest import ROOT

CHILD = {"kind": "child", "private": "10.20.0.12", "public": "203.0.113.12"}


@pytest.fixture
def made(tmp_path, monkeypatch):
    """The shipped example, with more nodes in it."""
    monkeypatch.setenv("NODRIZA_LAB_STATE", str(tmp_path / "no-lab"))

    def made(**nodes):
        data = yaml.safe_load((ROOT / "inventories/one-machine.example.yml").read_text())
        data["app"]["source"] = str(ROOT / "examples/videoteca")
        data["nodes"].update({name.replace("_", "-"): node for name, node in nodes.items()})
        path = tmp_path / "shop.yml"
        path.write_text(yaml.safe_dump(data, sort_keys=False))
        return load_cluster(path)

    return made


def planned(cluster, name="server-1"):
    return [each.resource for each in plan_node(cluster.node(name), cluster).resources]


def of_firewall(cluster):
    (rules,) = [each for each in planned(cluster) if each.id == "file:/etc/nftables.conf"]
    return rules.content


def test_one_machine__does_every_job_and_has_visitors(made):
    cluster = made()
    (node,) = cluster.nodes
    for job in ("database", "broker", "cache", "share", "tasks", "web", "application"):
        assert server(cluster, job) == node
    assert cluster.children == (node,)
    assert isinstance(planned(cluster)[-1], Health)


def test_one_machine__has_no_server_for_its_files_and_mounts_nothing(made):
    resources = planned(made())
    assert "directory:/srv/videoteca" in [each.id for each in resources]
    assert not [each for each in resources if isinstance(each, Mount)]
    units = [each.unit for each in resources if isinstance(each, Service)]
    assert not [unit for unit in units if "nfs" in unit or "share" in unit]


def test_second_machine__is_exported_the_share_and_opened_the_database(made):
    before, cluster = made(), made(server_2=CHILD)
    files = {each.path: each.content for each in planned(cluster) if isinstance(each, File)}
    assert "/srv/videoteca 10.20.0.12(" in files["/etc/exports.d/videoteca.exports"]
    rules = of_firewall(cluster)
    for port in ("3306", "6379", "2049"):
        (line,) = [each for each in rules.splitlines() if port in each]
        assert "saddr { 10.20.0.12 }" in line
        assert port not in of_firewall(before)
    assert users(cluster, "share") == (cluster.node("server-2"),)


def test_second_machine__restarts_nothing_on_the_first(made):
    """What serves goes on serving: only files that a reload reads are other ones."""

    def of_services(cluster):
        resources = planned(cluster)
        read = {
            id
            for each in resources
            if isinstance(each, Service) and each.unit in ("uwsgi", "mariadb", "celery")
            for id in each.restart_on
        }
        return {each.id: to_data(each) for each in resources if each.id in read}

    assert of_services(made()) == of_services(made(server_2=CHILD))


def test_releases__are_taken_by_all_that_serve_and_by_the_one_that_makes_them(made):
    cluster = made(server_2=CHILD)
    assert takers(cluster) == cluster.nodes


def test_variables_of_the_next_release__are_in_a_file_that_only_root_reads(made):
    files = {each.path: each for each in planned(made()) if isinstance(each, File)}
    now, following = (
        files["/etc/videoteca/videoteca.env"],
        files["/etc/videoteca/videoteca.next.env"],
    )
    assert now.content == following.content
    assert (following.owner, following.mode) == ("root", "0600")


def test_central_node_that_serves_nobody__has_no_such_file(three_node):
    ids = [each.resource.id for each in plan_node(three_node.builder, three_node).resources]
    assert "file:/etc/videoteca/videoteca.next.env" not in ids


def test_picture__shows_it_to_visitors(made):
    assert ">server-1<" in draw(made())
    assert ">server-2<" in draw(made(server_2=CHILD))
