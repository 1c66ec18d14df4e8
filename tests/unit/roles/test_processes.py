"""What runs beside the web: a unit each, which follows the release or takes it when it runs."""

from __future__ import annotations

import subprocess

import pytest

from nodriza.inventory.sections.processes import Process
from nodriza.plan.plan import plan_node
from nodriza.release.plan import followers
from nodriza.resources import Service
from tests.unit.roles.made import content, remake, resources

NODE = "video-1"
UNITS = "/etc/systemd/system"


def with_processes(cluster):
    """A cluster whose every node has one that runs for ever, and a timer."""
    timer = Process(run="manage.py tick", every="minute")
    processes = {"relay": Process(run="manage.py relay"), "tick": timer}
    app = cluster.app.model_copy(update={"processes": processes})
    nodes = tuple(
        node.model_copy(update={"processes": ("relay", "tick")}) for node in cluster.nodes
    )
    return remake(cluster, app=app, nodes=nodes)


@pytest.fixture
def made(three_node):
    """A cluster whose video node has one process, ``name`` with these keys."""

    def make(name: str = "relay", **keys):
        process = Process(**{"run": "manage.py relay", **keys})
        app = three_node.app.model_copy(update={"processes": {name: process}})
        nodes = tuple(
            node.model_copy(update={"roles": (*node.roles, "procfile"), "processes": (name,)})
            if node.name == NODE
            else node
            for node in three_node.nodes
        )
        return remake(three_node, app=app, nodes=nodes)

    return make


def ids(cluster, node: str) -> list[str]:
    return [each.id for each in resources(cluster, node)]


def service(cluster, unit: str) -> Service:
    plan = plan_node(cluster.node(NODE), cluster)
    return next(
        each.resource
        for each in plan.resources
        if isinstance(each.resource, Service) and each.resource.unit == unit
    )


def test_for_ever__follows_the_release_its_variables_and_its_own_lines(made):
    cluster = made()
    relay = service(cluster, "videoteca-process-relay")
    assert {
        "link:/opt/videoteca/current",
        "file:/etc/videoteca/videoteca.env",
        "file:/usr/local/sbin/videoteca-process-relay",
        f"file:{UNITS}/videoteca-process-relay.service",
    } <= {*relay.restart_on}
    whole = plan_node(cluster.node(NODE), cluster)
    assert "service:videoteca-process-relay" in {item.id for item, _ in followers(cluster, whole)}


def test_for_ever__is_believed_when_it_has_run_for_some_seconds(made):
    assert service(made(), "videoteca-process-relay").steady >= 5


def test_timer__follows_no_release_and_no_run_of_it_is_cut(made):
    cluster = made(every="10 minutes")
    timer = service(cluster, "videoteca-process-relay.timer")
    assert timer.runs == "videoteca-process-relay.service"
    whole = plan_node(cluster.node(NODE), cluster)
    assert "relay" not in str([item.id for item, _ in followers(cluster, whole)])
    text = content(cluster, NODE, f"{UNITS}/videoteca-process-relay.timer")
    assert "\nOnCalendar=*-*-* *:0/10:00\n" in text
    text = content(cluster, NODE, f"{UNITS}/videoteca-process-relay.service")
    assert "\nType=oneshot\n" in text
    assert "[Install]" not in text


def test_once__holds_the_lock_of_the_share(made):
    run = "/usr/local/sbin/videoteca-process-relay"
    lock = "exec flock --no-fork /srv/videoteca/once/relay python manage.py relay\n"
    assert lock in content(made(), NODE, run)
    assert "directory:/srv/videoteca/once" in ids(made(), "server-1")
    everywhere = made(on="each")
    assert "flock" not in content(everywhere, NODE, run)
    assert "directory:/srv/videoteca/once" not in ids(everywhere, "server-1")


def test_count__is_so_many_units(made):
    cluster = made(on="video", count=3)
    found = [id for id in ids(cluster, NODE) if id.startswith("service:videoteca-process-")]
    assert found == [f"service:videoteca-process-relay{number}" for number in ("", "-2", "-3")]


def test_bounds__are_the_inventory_s(made):
    unit = f"{UNITS}/videoteca-process-relay.service"
    text = content(made(memory_mb=64, cpus=0.25, longest=7), NODE, unit)
    assert "\nMemoryMax=64M\n" in text
    assert "\nCPUQuota=25%\n" in text
    assert "\nTimeoutStopSec=7\n" in text
    memory = made().node(NODE).memory_mb // 2
    assert f"\nMemoryMax={memory}M\n" in content(made(), NODE, unit)


@pytest.mark.parametrize(
    "run",
    ["manage.py relay", "manage.py say 'a  b' \"c'd\" '$HOME' '%n' '\\' x", "rq worker 'ä; rm *'"],
)
def test_words__arrive_as_they_were_written(made, tmp_path, run):
    cluster = made(run=run, on="each")
    text = content(cluster, NODE, "/usr/local/sbin/videoteca-process-relay")
    (tmp_path / "app").mkdir()
    text = text.replace("/opt/videoteca/current", str(tmp_path)).replace(
        "exec ", "exec printf '<%s>' ", 1
    )
    done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=True)
    words = cluster.app.processes["relay"].words
    assert done.stdout.partition("\n")[2] == "".join(f"<{word}>" for word in words)
