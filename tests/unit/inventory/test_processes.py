"""``app.processes``: what runs beside the web, where, and exactly once where that is said."""

from __future__ import annotations

import pytest

from nodriza.errors import InventoryError
from nodriza.inventory import load_cluster
from tests.unit.inventory.conftest import GOOD

MORE = """\
  server-3: {kind: child, private: 10.0.0.13}
  video-1: {kind: video, private: 10.0.0.21}
  video-2: {kind: video, private: 10.0.0.22}
"""
WORKER = "  worker-1: {kind: worker, private: 10.0.0.31}\n"


@pytest.fixture
def cluster_with(write):
    """A cluster with these lines of ``app.processes``."""

    def make(processes: str, nodes: str = MORE):
        text = GOOD.replace("app:\n", f"app:\n  processes:\n    {processes}\n")
        return load_cluster(write(text + nodes))

    return make


def where(cluster, name: str) -> list[str]:
    return [node.name for node in cluster.nodes if name in node.processes]


def test_without_a_line__nobody_has_any(write):
    cluster = load_cluster(write(GOOD))
    assert cluster.app.processes == {}
    assert not any(node.processes or "procfile" in node.roles for node in cluster.nodes)


def test_line_alone__runs_for_ever_and_once(cluster_with):
    cluster = cluster_with("relay: manage.py relay")
    relay = cluster.app.processes["relay"]
    assert (relay.run, relay.every, relay.on) == ("manage.py relay", None, "one")
    assert where(cluster, "relay") == ["video-1"]


@pytest.mark.parametrize(
    ("nodes", "first"),
    [(MORE + WORKER, "worker-1"), (MORE, "video-1"), ("", "server-2")],
)
def test_one__is_exactly_one_node_and_not_where_visitors_wait(cluster_with, nodes, first):
    assert where(cluster_with("relay: manage.py relay", nodes), "relay") == [first]


@pytest.mark.parametrize(
    ("on", "nodes"),
    [
        ("each", ["server-2", "server-3", "video-1", "video-2", "worker-1"]),
        ("child", ["server-2", "server-3"]),
        ("video", ["video-1", "video-2"]),
        ("server-3", ["server-3"]),
    ],
)
def test_on__is_each_a_kind_or_a_node(cluster_with, on, nodes):
    cluster = cluster_with(f"bot: {{run: manage.py bot, on: {on}}}", MORE + WORKER)
    assert where(cluster, "bot") == nodes
    assert all(("procfile" in node.roles) is (node.name in nodes) for node in cluster.nodes)


def test_node_of_services__becomes_one_that_runs_the_application(cluster_with):
    nodes = MORE + "  extra-1: {kind: service, private: 10.0.0.41}\n"
    cluster = cluster_with("bot: {run: manage.py bot, on: extra-1}", nodes)
    assert cluster.node("extra-1").roles == (
        *("base", "firewall", "nfs_client", "app", "procfile"),
    )


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("manage.py relay", ("python", "manage.py", "relay")),
        ("./manage.py relay", ("python", "manage.py", "relay")),
        ("python manage.py x", ("python", "manage.py", "x")),
        ("rq worker 'a b' c\\\\ d", ("rq", "worker", "a b", "c d")),
        ("manage.py say '$HOME; rm -rf *'", ("python", "manage.py", "say", "$HOME; rm -rf *")),
    ],
)
def test_run__is_words_and_no_shell_s(cluster_with, run, words):
    assert cluster_with(f'bot: {{run: "{run}"}}').app.processes["bot"].words == words


def test_shell__is_sh_s_line(cluster_with):
    bot = cluster_with("bot: {run: a | b > $c, shell: true}").app.processes["bot"]
    assert bot.words == ("/bin/sh", "-c", "a | b > $c")


MISTAKES = {
    "relay: manage.py relay | logger": 'relay: has "|" in it, which only a shell knows',
    "relay: {run: manage.py relay > /tmp/x}": 'relay/run: has ">" in it',
    "relay: {run: 'manage.py relay $HOME'}": 'relay/run: has "$" in it',
    "relay: {run: 'manage.py relay \"$HOME\"'}": 'relay/run: has "$" in it',
    "relay: {run: A=1 manage.py relay}": 'relay/run: has "A=" in it',
    'relay: "manage.py \'relay"': "can't be split into words: no closing quotation",
    "relay: {every: minute}": "run",
    "relay: {run: manage.py x, every: fortnight}": "must be minute, hour, day",
    "relay: {run: manage.py x, every: 7 minutes}": "does not divide an hour",
    'relay: {run: manage.py x, every: "25:00"}': "has no hour 25",
    "relay: {run: manage.py x, on: worker-7}": 'no node and no kind is called "worker-7"',
    "relay: {run: manage.py x, on: vdeo-1}": 'did you mean "video-1"?',
    "relay: {run: manage.py x, on: worker}": "no node is of the kind worker",
    "relay: {run: manage.py x, on: server-1}": "write the name of another node",
    "relay: {run: manage.py x, count: 2}": "on: one is exactly once",
    "relay: {run: manage.py x, on: each, every: minute, count: 2}": "one at a time",
    "relay: {run: manage.py x, cpus: 0}": "relay/cpus",
    "relay: {run: manage.py x, memory_mb: 1}": "must be at least 32",
    "relay: {run: manage.py x, every_: minute}": 'did you mean "every"?',
    "my-relay: manage.py x": "must be small letters",
    "work: celery -A shop worker -l info": "a node of the kind worker does that",
    "clock: python -m celery -A shop beat": "services: {beat: {}}",
}


@pytest.mark.parametrize("processes", MISTAKES)
def test_mistake__is_told_with_its_line(cluster_with, processes):
    with pytest.raises(InventoryError) as refused:
        cluster_with(processes)
    said = str(refused.value)
    assert MISTAKES[processes] in said
    assert "shop.yml:6:" in said


def test_number__which_once_meant_the_web_s_workers_is_told_where_it_goes(write):
    with pytest.raises(InventoryError, match="Write workers: 4"):
        load_cluster(write(GOOD.replace("app:\n", "app:\n  processes: 4\n")))


def test_roles_by_hand__that_leave_it_out_are_refused(cluster_with):
    nodes = MORE + "kinds: {video: {roles: [base, firewall]}}\n"
    with pytest.raises(InventoryError, match='without "procfile" relay of app/processes'):
        cluster_with("relay: manage.py relay", nodes)
    assert cluster_with("relay: manage.py relay", MORE + "roles: [default]\n")
