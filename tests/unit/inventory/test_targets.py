"""The words behind ``provision:``."""

from __future__ import annotations

import pytest

from nodriza.errors import TargetError
from nodriza.inventory import load_cluster, resolve_target
from tests.unit.inventory.conftest import GOOD


@pytest.mark.parametrize(
    ("target", "names"),
    [
        ("", "server-1 server-2 server-3 video-1"),
        ("all", "server-1 server-2 server-3 video-1"),
        ("server-2", "server-2"),
        ("server-3,server-2", "server-2 server-3"),
        ("server-3, server-n ,server-3", "server-2 server-3"),
        ("server-[1:3]", "server-1 server-2 server-3"),
        ("child", "server-2 server-3"),
        ("children", "server-2 server-3"),
        ("server-n", "server-2 server-3"),
        ("video", "video-1"),
        ("videos,central", "server-1 video-1"),
    ],
)
def test_target__is_each_named_node_once_in_the_inventorys_order(three_node, target, names):
    assert [node.name for node in resolve_target(three_node, target)] == names.split()


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("sever-2", "did you mean server-2"),
        ("chidren", "did you mean children"),
        ("Video", "did you mean video"),
        ("server-2,,server-3", "nothing between two commas"),
        ("server-*", "there is no such node"),
        (
            "server-[2:9]",
            r"6 of 8 do not exist: server-4, server-5, server-6, server-7, server-8, …",
        ),
        ("server-[3:2]", "runs backwards"),
        ("server-2;reboot", "there is no such node"),
    ],
)
def test_target__that_does_not_exist_is_refused_with_what_does(three_node, target, said):
    with pytest.raises(TargetError, match=said) as caught:
        resolve_target(three_node, target)
    assert "server-n" in str(caught.value)
    assert "video-1" in str(caught.value)
    assert caught.value.exit_code == 2


def test_target__a_kind_without_nodes_is_refused(write):
    cluster = load_cluster(write(GOOD))
    with pytest.raises(TargetError, match="is a video"):
        resolve_target(cluster, "videos")


def test_target__what_exists_is_told_in_a_bounded_list(write):
    node = '  server-[3:1002]: {kind: child, private: "[10.0.1.1:10.0.4.232]"}\n'
    cluster = load_cluster(write(GOOD + node))
    with pytest.raises(TargetError) as caught:
        resolve_target(cluster, "x" * 5000)
    assert len(str(caught.value)) < 500
    assert "and 990 more" in str(caught.value)
