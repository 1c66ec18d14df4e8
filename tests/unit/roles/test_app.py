"""The application's variables, and what Celery needs."""

from __future__ import annotations

from nodriza.host.env_file import parse_environment
from nodriza.host.host import Host
from nodriza.plan.render import Renderer, Template
from nodriza.resources import Mount, Package
from tests.unit.roles.made import content, remake, resources, role


def test_environment__reads_back_as_it_was_meant(three_node, tmp_path):
    """By the same rules as systemd, whatever stands in a value."""
    odd = {"ODD": 'a "b" \\c $HOME `id` #x', "EMPTY": "", "NODE_NAME": "mine"}
    app = three_node.app.model_copy(update={"environment": odd})
    cluster = remake(three_node, app=app)
    item = next(i for i in role("app")(three_node.children[0], cluster) if isinstance(i, Template))
    host = Host(str(tmp_path))
    host.write("/env", Renderer().render(item, three_node.children[0], cluster).content)
    found = parse_environment(host.read("/env").decode())
    assert found["ODD"] == odd["ODD"]
    assert found["EMPTY"] == ""
    assert found["NODE_NAME"] == "mine"  # the inventory has the last word
    assert found["DATABASE_HOST"] == "198.18.7.11"
    assert found["CELERY_BROKER_URL"] == "redis://queue:‹secret:redis›@198.18.7.11:6379/0"
    assert found["CACHE_URL"] == "redis://cache:‹secret:redis›@198.18.7.11:6380/0"


def test_environment__names_the_site_and_the_child_itself_as_hosts(three_node):
    """Not its siblings: a cluster that grows changes nothing on the children it has."""
    text = content(three_node, "server-3", "/etc/videoteca/videoteca.env")
    hosts = parse_environment(text)["DJANGO_ALLOWED_HOSTS"].split(",")
    assert "videoteca.test" in hosts
    assert {"server-3", "198.18.8.13"} <= set(hosts)
    assert "server-2" not in hosts


def test_central__change_of_address_reaches_the_children_in_the_same_run(three_node):
    moved = three_node.builder.model_copy(update={"private": "198.18.7.99"})
    nodes = (moved, *three_node.children, *three_node.nodes_of("video"))
    fields = {k: getattr(three_node, k) for k in type(three_node).model_fields}
    cluster = type(three_node)(**fields | {"nodes": nodes})
    for name in ("server-2", "video-1"):
        env = parse_environment(content(cluster, name, "/etc/videoteca/videoteca.env"))
        assert env["DATABASE_HOST"] == "198.18.7.99"
        assert resources(cluster, name, Mount)[0].source.startswith("198.18.7.99:")


def test_video__without_celery_in_the_application_has_ffmpeg_only(three_node):
    app = three_node.app.model_copy(update={"celery": None})
    video, without = three_node.nodes_of("video")[0], remake(three_node, app=app)
    assert list(role("celery")(video, without)) == []
    assert list(role("ffmpeg")(video, without)) == [Package("ffmpeg")]
