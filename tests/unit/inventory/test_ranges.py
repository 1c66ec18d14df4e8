"""``server-[2:50]`` in names and in values."""

from __future__ import annotations

import contextlib
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodriza.inventory import load_cluster
from nodriza.inventory.ranges import LIMIT, RangeMistake, expand, instance, mistakes_in
from tests.unit.inventory.conftest import GOOD


@given(st.integers(0, 10**6), st.integers(0, 200), st.text("abc-.", max_size=5))
def test_range__is_every_number_from_end_to_end(start, more, around):
    names = expand(f"{around}[{start}:{start + more}]{around}")
    assert names == [f"{around}{n}{around}" for n in range(start, start + more + 1)]


@given(st.integers(0, 99), st.integers(0, 99), st.integers(3, 6))
def test_range__keeps_its_zeros(start, more, width):
    names = expand(f"web-[{start:0{width}d}:{start + more:0{width}d}]")
    assert names == [f"web-{n:0{width}d}" for n in range(start, start + more + 1)]


@given(st.integers(0, 2**32 - 300), st.integers(1, 299))
def test_range__of_addresses_crosses_the_dots(start, size):
    text = f"[{IPv4Address(start)}:{IPv4Address(start + size - 1)}]"
    assert list(mistakes_in({"private": text}, size)) == []
    values = [instance({"private": text}, index)["private"] for index in range(size)]
    assert values == [str(IPv4Address(start + index)) for index in range(size)]


@given(st.text("server-[]:0123456789. ", max_size=24))
def test_range__is_expanded_or_refused(text):
    names = ["refused"]
    with contextlib.suppress(RangeMistake):
        names = expand(text)
    assert len(names) == len(set(names)) > 0
    assert not any("[" in name or "]" in name for name in names)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("server-[5:2]", r"\[5:2\] runs backwards: write \[2:5\]"),
        ("server-[01:100]", "as many digits at both ends"),
        (f"server-[1:{LIMIT + 1}]", f"{LIMIT} is the limit"),
        ("server-[2-5]", "a range is written"),
        ("server-[2:5", "a range is written"),
        ("r[1:2]-[1:2]", "once in a name"),
        ("[10.0.0.1:10.0.0.2]", "a range is written"),
        ("[10.0.0.1:7]", "not two IPv4 addresses"),
        ("[10.0.0.1:10.0.0.256]", "not two IPv4 addresses"),
    ],
)
def test_range__that_can_not_be_is_refused(text, said):
    with pytest.raises(RangeMistake, match=said):
        expand(text)


def test_values__go_along_with_the_name_wherever_they_are():
    data = {"private": "10.0.0.[12:13]", "variables": {"list": ["x[1:2]", 3, None]}, "port": 22}
    assert list(mistakes_in(data, 2)) == []
    assert instance(data, 1) == {
        "private": "10.0.0.13",
        "variables": {"list": ["x2", 3, None]},
        "port": 22,
    }


def test_values__of_another_length_are_told_with_their_path():
    data = {"private": "10.0.0.[12:13]", "variables": {"list": ["x[1:3]"]}}
    assert list(mistakes_in(data, 2)) == [
        (("variables", "list", 0), "has 3 numbers, but the node's name has 2", 3)
    ]


def test_values__of_a_node_without_a_range_stay_as_they_are(write):
    text = GOOD.replace("kind: child,", "kind: child, variables: {slice: 'x[1:2]'},")
    assert load_cluster(write(text)).node("server-2").variables == {"slice": "x[1:2]"}


def test_nodes__of_a_range_stand_where_the_range_stands(write):
    nodes = '  web-[08:11]: {kind: child, private: "10.0.1.[8:11]"}\n'
    nodes += "  video-1: {kind: video, private: 10.0.0.21}\n"
    cluster = load_cluster(write(GOOD + nodes))
    assert [node.name for node in cluster.nodes][2:] == [
        "web-08",
        "web-09",
        "web-10",
        "web-11",
        "video-1",
    ]
    assert cluster.node("web-08").number == 8
