"""The picture of a cluster, and the one in the README, which must stay true."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from nodriza.inventory import Cluster, load_cluster
from nodriza.plan.plan import plan_node
from nodriza.resources import Peers
from nodriza.watch.text_width import cut, width
from nodriza.watch.topology import draw
from tests.unit.conftest import ROOT

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """The shipped lab with some text of its inventory replaced."""
    monkeypatch.setenv("NODRIZA_LAB_STATE", str(tmp_path / "no-lab"))

    def make(*changes: tuple[str, str]) -> Cluster:
        text = (ROOT / "inventories" / "three-node.yml").read_text()
        for old, new in (("../examples", f"{ROOT}/examples"), *changes):
            assert old in text
            text = text.replace(old, new)
        path = Path(tmp_path, "inventories", "mine.yml")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return load_cluster(path)

    return make


def words(cluster: Cluster) -> list[str]:
    tree = ET.fromstring(draw(cluster))
    return [str(element.text).strip() for element in tree.iter(f"{SVG}text")]


def test_picture_of_the_readme__is_the_one_of_the_shipped_lab(three_node):
    """When it is not: fab topology --output docs/topology.svg"""
    assert (ROOT / "docs" / "topology.svg").read_text("utf-8") == draw(three_node)


def test_every_node__is_there_with_its_addresses(three_node):
    said = words(three_node)
    for node in three_node.nodes:
        assert node.name in said
        assert node.private in said
    assert "198.18.8.12" in said
    assert "private network 198.18.7.0/24" in said


def test_ports__are_those_that_the_firewall_opens(three_node):
    said = words(three_node)
    plan = plan_node(three_node.builder, three_node)
    peers = [each.resource for each in plan.resources if isinstance(each.resource, Peers)]
    assert {each.name for each in peers} == {"mysql", "redis", "nfs_server"}
    for each in peers:
        assert ", ".join(each.ports) in said
    assert said.count("for all children, video-1") == 3


def test_many_children__are_not_all_drawn(cluster):
    many = cluster(("server-[2:3]", "server-[2:50]"), ("[12:13]", "[112:160]"))
    said = words(many)
    assert "43 more" in said
    assert "server-50" in said
    assert "server-20" not in said


def test_cluster_without_a_public_network__says_where_visitors_come_in(cluster):
    text = (ROOT / "inventories" / "three-node.yml").read_text()
    publics = [line + "\n" for line in text.splitlines() if line.strip().startswith("public:")]
    one = cluster(*((line, "") for line in dict.fromkeys(publics)))
    assert "private network, also for visitors" in words(one)


def test_https__is_told(cluster):
    one = cluster(("\nshare:", "\ntls: {mode: acme, email: ana@example.org}\nshare:"))
    assert "HTTPS 443" in words(one)
    assert "runs certbot; takes no web traffic" in words(one)


def test_same_inventory__is_the_same_picture(three_node):
    assert draw(three_node) == draw(three_node)


LETTERS = "wmi-1"


@pytest.mark.parametrize("letter", LETTERS)
@pytest.mark.parametrize("children", [2, 5, 50])
def test_texts__stay_in_their_boxes_and_overlap_nowhere_however_long_the_names(
    cluster, letter, children
):
    name = ("a" + letter * 59 + "a").replace("-a", "ba")
    drawn = cluster(
        ("server-[2:3]", f"{name}[{10}:{9 + children}]"),
        ("[12:13]", f"[112:{111 + children}]"),
        ("server-1:", f"{name}-1:"),
        ("video-1:", f"v{name}1:"),
        ("videoteca.test", ".".join([letter.replace("-", "a") * 60] * 3) + ".test"),
        ("engine: nfs", "engine: glusterfs"),
    )
    boxes, texts = _places(drawn)
    assert any("…" in text for _, text, _, _ in texts)
    for y, text, left, right in texts:
        (x, end) = min(
            (
                (x, end)
                for top, bottom, x, end in boxes
                if top <= y <= bottom and x <= (left + right) / 2 <= end
            ),
            key=lambda box: box[1] - box[0],
            default=(0, 10_000),
        )
        assert x <= left, text
        assert right <= end, text
    for y, text, left, right in texts:
        for other_y, other, begin, end in texts:
            if text is not other and abs(y - other_y) < 8:
                assert right <= begin or end <= left, (text, other)


def _places(cluster):
    """Boxes as top, bottom, left, right; texts as their line, words, left, right."""
    tree = ET.fromstring(draw(cluster))
    sizes = {"name": (18, True), "kind": (13, False), "address": (13, False), "port": (14, True)}
    boxes = []
    for box in tree.iter(f"{SVG}rect"):
        x, y, wide, high = (float(box.get(key)) for key in ("x", "y", "width", "height"))
        boxes.append((y, y + high, x, x + wide))
    texts = []
    middles = {id(text) for g in tree.iter(f"{SVG}g") for text in g.iter(f"{SVG}text")}
    for text in tree.iter(f"{SVG}text"):
        size, bold = sizes.get((text.get("class") or "").split(" ")[0], (15, False))
        words = "".join(text.itertext()).strip()
        wide = width(words, size, bold=bold)
        anchor = text.get("text-anchor") or ("middle" if id(text) in middles else "start")
        left = float(text.get("x")) - {"start": 0, "middle": wide / 2, "end": wide}[anchor]
        texts.append((float(text.get("y")), words, left, left + wide))
    return boxes, texts


def test_cut_name__keeps_the_end_by_which_its_kind_differs():
    assert cut("a-very-long-name-of-a-node-in-madrid-17", 170, 18, bold=True).endswith("17")
    assert cut("server-2", 170, 18, bold=True) == "server-2"
