"""A node more, a node less: what is written, what is asked of whom."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from nodriza.change import nodes
from nodriza.change.drain import Rotation, refuse_last, refuse_others, zone_plan
from nodriza.errors import (
    ConnectionFailed,
    HostRefused,
    Interrupted,
    InventoryError,
    NodrizaError,
    TargetError,
)
from nodriza.host.host import Host
from nodriza.inventory import load_cluster
from nodriza.inventory.edit import remove_node
from nodriza.plan.plan import plan_node
from nodriza.report.result import NodeResult
from nodriza.resources import Absent, Health, Service, Zone
from nodriza.watch import dns as cluster_dns

TEXT = """\
# Our cluster.
cluster: shop
domain: www.example.org  # what people type
networks: {private: 10.0.0.0/24, public: 203.0.113.0/24}
app:
  name: shop
  source: .
  wsgi: shop.wsgi
  settings: shop.settings
  packages: [libpq5, 'libvips42']
nodes:
  # The mother.
  server-1: {kind: central, private: 10.0.0.1, public: 203.0.113.1, roles: [default, dns]}
  server-[2:5]:  # the children
    kind: child
    private: 10.0.0.[2:5]
    public: 203.0.113.[2:5]  # ours until 2031
    variables:
      racks:
        - a
        - b
  video-1: {kind: video, private: 10.0.0.21}
"""


@pytest.fixture
def inventory(tmp_path) -> Path:
    (tmp_path / "manage.py").write_text("")
    (tmp_path / "shop").mkdir()
    for name in ("wsgi.py", "settings.py"):
        (tmp_path / "shop" / name).write_text("")
    (tmp_path / "requirements.txt").write_text("")
    path = tmp_path / "shop.yml"
    path.write_text(TEXT)
    return path


def added(path: Path, name: str, kind: str = "child", private: str = "", public: str = ""):
    return nodes.add(load_cluster(path), name, kind, private, public, 0)


def test_new_node__is_written_behind_the_others_and_nothing_else_changes(inventory):
    cluster = added(inventory, "server-6")
    assert cluster.node("server-6").private == "10.0.0.6"
    assert cluster.node("server-6").public == "203.0.113.6"
    assert inventory.read_text() == TEXT + (
        "  server-6:\n    kind: child\n    private: 10.0.0.6\n    public: 203.0.113.6\n"
    )


def test_video_node__gets_no_public_address(inventory):
    assert added(inventory, "video-2", "video").node("video-2").public is None


@pytest.mark.parametrize(
    ("name", "private"), [("server-3", ""), ("server-6", "10.0.0.1"), ("server-6", "10.1.0.1")]
)
def test_node_that_would_not_fit__is_not_written(inventory, name, private):
    with pytest.raises((TargetError, InventoryError)) as error:
        added(inventory, name, private=private)
    assert ".new" not in str(error.value)
    assert inventory.read_text() == TEXT
    assert {file.name for file in inventory.parent.iterdir()} == {
        "manage.py",
        "requirements.txt",
        "shop",
        "shop.yml",
    }


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("server-2", ["server-[3:5]"]),
        ("server-3", ["server-2", "server-[4:5]"]),
        ("server-5", ["server-[2:4]"]),
    ],
)
def test_node_in_a_range__leaves_the_others_as_they_were(inventory, name, keys):
    before = {node.name: node for node in load_cluster(inventory).nodes}
    left = remove_node(inventory, name)
    assert {node.name: node for node in left.nodes} == {
        other: node for other, node in before.items() if other != name
    }
    text = inventory.read_text()
    assert all(f"  {key}:" in text for key in keys)
    for comment in ("# Our cluster.", "# what people type", "# The mother.", "# ours until 2031"):
        assert comment in text


FOLLOWED = f"""\
{TEXT}
  # The second one is on loan.
  video-2: &loan
      kind: video
      private: 10.0.0.22
      roles:
      - base  # nothing else

# One after the other.
rollout: {{serial: 1}}
"""


def test_node_that_comes_and_goes__leaves_every_byte_as_it_was(inventory):
    inventory.write_text(FOLLOWED)
    added(inventory, "server-6")
    grown = inventory.read_text()
    assert (
        grown.index("roles:\n      - base") < grown.index("server-6") < grown.index("# One after")
    )
    remove_node(inventory, "server-6")
    assert inventory.read_text() == FOLLOWED


def test_node_that_goes__takes_no_comment_of_what_follows_along(inventory):
    inventory.write_text(FOLLOWED)
    remove_node(inventory, "video-1")
    assert "  # The second one is on loan.\n  video-2: &loan\n" in inventory.read_text()
    remove_node(inventory, "video-2")
    assert inventory.read_text().endswith("# One after the other.\nrollout: {serial: 1}\n")


def test_range_with_an_anchor__is_cut_in_two_and_the_anchor_is_the_first_s(inventory):
    text = TEXT.replace("server-[2:5]:  # the children", "server-[2:5]: &child  # the children")
    spare = "  server-9:\n    <<: *child\n    private: 10.0.0.9\n    public: 203.0.113.9"
    inventory.write_text(f"{text}{spare}")
    left = remove_node(inventory, "server-3")
    assert [node.name for node in left.children] == [
        "server-2",
        "server-4",
        "server-5",
        "server-9",
    ]


def test_nodes_in_braces__are_left_to_a_person(inventory):
    before = TEXT.partition("nodes:")[0] + "nodes: {a: {kind: central, private: 10.0.0.1}}\n"
    inventory.write_text(before)
    with pytest.raises(TargetError, match="braces"):
        added(inventory, "server-6")
    assert inventory.read_text() == before


def test_central_node__can_t_go(inventory):
    cluster = load_cluster(inventory)
    rotation = Rotation(cluster, lambda: pytest.fail("a run"), print)
    with pytest.raises(TargetError, match="central"):
        nodes.remove(rotation, cluster.builder, lambda *_: pytest.fail("a run"))
    assert inventory.read_text() == TEXT


@dataclasses.dataclass(frozen=True)
class Remembering(Rotation):
    """Every run goes well, or ends with an error on its nodes."""

    error: NodrizaError | None = None
    ran: list[str] = dataclasses.field(default_factory=list)

    def run(self, what, plans):
        self.ran.append(what)
        return {plan.node: NodeResult(plan.node, error=self.error) for plan in plans}


def test_node_that_is_dead__goes_as_well(inventory):
    cluster = load_cluster(inventory)
    dead = ConnectionFailed("no route")
    rotation = Remembering(cluster, lambda: pytest.fail("a run"), print, error=dead)
    nodes.remove(rotation, cluster.node("video-1"), lambda *_: {})
    assert "video-1" not in inventory.read_text()


def test_node_whose_work_does_not_end__stays(inventory):
    cluster = load_cluster(inventory)
    busy = HostRefused("busy")
    rotation = Remembering(cluster, lambda: pytest.fail("a run"), print, error=busy)
    results = nodes.remove(rotation, cluster.node("video-1"), lambda *_: pytest.fail("a run"))
    assert results["video-1"].bad
    assert inventory.read_text() == TEXT


@pytest.mark.parametrize("name", ["server-3", "video-1"])
def test_last_plan__ends_what_the_node_does_in_the_opposite_order_and_not_what_looks_after_it(
    inventory, name
):
    cluster = load_cluster(inventory)
    node = cluster.node(name)
    began = [
        planned.resource.unit
        for planned in plan_node(node, cluster).resources
        if isinstance(planned.resource, Service) and planned.resource.running
    ]
    last = [planned.resource for planned in nodes.last_plan(node, cluster).resources]
    services = [each for each in last if isinstance(each, Service)]
    ended = [service.unit for service in services if not (service.running or service.enabled)]
    stays = {"nftables", "systemd-journald", "logrotate.timer"}
    assert ended == [unit for unit in reversed(began) if unit not in stays]
    assert last[-1].argv == ("systemctl", "stop", "srv-shop.mount")
    assert any(isinstance(each, Absent) for each in last) == (node.kind == "child")


def test_node_that_goes__is_forgotten_by_those_who_know_it(inventory):
    cluster = load_cluster(inventory)
    rotation = Remembering(cluster, lambda: pytest.fail("a run"), print)
    asked: list[list[str]] = []

    def provision(left, who):
        assert "video-1" not in {node.name for node in left.nodes}
        asked.append([node.name for node in who])
        return {}

    nodes.remove(rotation, cluster.node("video-1"), provision)
    assert rotation.ran == ["node.remove video-1"]  # nobody drains a node without visitors
    assert asked == [["server-1"]]  # the central one, which is the name server as well
    assert "video-1" not in inventory.read_text()


def test_drain__is_for_children_and_never_for_all_of_them(inventory):
    cluster = load_cluster(inventory)
    with pytest.raises(TargetError, match="only children"):
        refuse_others(cluster, cluster.nodes_of("video"), "drain")
    with pytest.raises(TargetError, match="nobody to serve"):
        refuse_others(cluster, cluster.children, "drain")
    refuse_others(cluster, cluster.children, "undrain")


def answered(name: str, *, away: list[str] | None = None, status: int = 200) -> NodeResult:
    state = {"marks": {Health.AWAY: away or []}, "health": {"health:shop": [status, "words"]}}
    return NodeResult(name, facts={"state": state})


@pytest.mark.parametrize(
    ("others", "said", "next_"),
    [
        ([answered("server-2", away=["operator"])], r"drained \(operator\)", "undrain server-2"),
        ([answered("server-2", away=["run"])], r"drained \(run\)", "fab status"),
        ([answered("server-2", status=503)], "does not serve: 503 words", "fab status"),
        ([NodeResult("server-2", error=ConnectionFailed("no route"))], "no route", "fab status"),
        (
            [answered("server-2", status=503), answered("server-4", away=["operator"])],
            "server-4: drained",
            "undrain server-4",
        ),
    ],
)
def test_last_child_in_rotation__is_not_drained_where_no_name_server_says_so(others, said, next_):
    with pytest.raises(TargetError, match="no child would be in rotation; server-2: ") as error:
        refuse_last({result.node: result for result in others})
    assert re.search(said, str(error.value))
    assert next_ in error.value.do
    refuse_last({result.node: result for result in [*others, answered("server-5")]})


def test_drain_that_ctrl_c_ends_while_it_asks__says_that_and_nothing_of_the_others():
    with pytest.raises(Interrupted):
        refuse_last({"server-2": NodeResult("server-2", error=Interrupted("stopped"))})


def test_drain__asks_the_first_name_server_for_the_zone_and_its_reader_only(inventory):
    plan = zone_plan(load_cluster(inventory), out=("server-3",))
    assert plan is not None
    assert plan.node == "server-1"
    zone, service = (planned.resource for planned in plan.resources)
    assert isinstance(zone, Zone)
    assert zone.out == ("server-3",)
    assert service.id == "service:nsd"
    assert plan.secrets == set()


def test_undrain__of_a_child_that_was_never_drained_has_nothing_to_do(inventory, tmp_path):
    """No folder for a mark is made, least of all while the node makes it itself."""
    cluster = load_cluster(inventory)
    rotation = Rotation(cluster, lambda: pytest.fail("a run"), print)
    mark, health = rotation._child(cluster.node("server-3"), out=False).resources
    assert Absent.look(Host(str(tmp_path)), [mark.resource]) == [None]
    assert isinstance(health.resource, Health)


@pytest.mark.parametrize("engine", ["nfs", "glusterfs"])
def test_cluster_that_grows__restarts_nothing(inventory, engine):
    inventory.write_text(f"{TEXT}share: {{engine: {engine}}}\n")
    small = load_cluster(inventory)
    grown = added(inventory, "server-6")
    for node in small.nodes:
        before = {p.resource.id: p.resource for p in plan_node(node, small).resources}
        after = {p.resource.id: p.resource for p in plan_node(node, grown).resources}
        changed = {id for id, resource in after.items() if before.get(id) != resource}
        assert changed or node.kind != "central"
        for resource in after.values():
            if isinstance(resource, Service):
                assert not changed & {*resource.restart_on}, resource.id


def test_zone_of_a_provider__has_the_children_and_never_the_central_node(inventory):
    cluster = load_cluster(inventory)
    text = cluster_dns.as_zone_file(cluster, ["server-4"])
    site = [line for line in text.splitlines() if line.startswith("@ IN A")]
    assert [line.split()[3] for line in site] == ["203.0.113.2", "203.0.113.3", "203.0.113.5"]
    assert "203.0.113.4" not in cluster_dns.as_octodns(cluster, ["server-4"])
    with pytest.raises(TargetError, match="server-9"):
        cluster_dns.drained(cluster, "server-9")
