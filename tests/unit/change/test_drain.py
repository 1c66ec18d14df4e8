"""A child that is taken out: whoever still comes to it is named, with what to do about it."""

from __future__ import annotations

import pytest

from nodriza.change.drain import Rotation
from nodriza.errors import HostRefused
from nodriza.report.result import NodeResult


def rotation(cluster, said, monkeypatch, *, failed=False):
    def run(self, what, plans):
        error = HostRefused("no") if failed else None
        return {plan.node: NodeResult(plan.node, changed=2, error=error) for plan in plans}

    monkeypatch.setattr(Rotation, "run", run)
    monkeypatch.setattr(Rotation, "ask", lambda self, nodes: {})
    monkeypatch.setattr("nodriza.change.drain.refuse_last", lambda others: None)
    return Rotation(cluster, lambda: None, said.append)


def test_drain_without_dns_of_ours__says_who_still_comes_and_what_to_take_out(
    three_node, monkeypatch
):
    said: list[str] = []
    rotation(three_node, said, monkeypatch).drain([three_node.node("server-2")])
    (words,) = said
    assert "whoever comes by round-robin DNS still reaches server-2, and is served" in words
    assert "take these out at your DNS provider" in words
    assert "videoteca.test A 198.18.8.12" in words


def test_undrain_without_dns_of_ours__says_what_to_put_back(three_node, monkeypatch):
    said: list[str] = []
    rotation(three_node, said, monkeypatch).undrain([three_node.node("server-2")])
    assert "give your DNS provider again: videoteca.test A 198.18.8.12" in said[0]


@pytest.mark.parametrize("ours", [True, False])
def test_nothing_is_said__where_a_node_serves_the_name_or_the_drain_failed(
    three_node, monkeypatch, ours
):
    said: list[str] = []
    if ours:
        nodes = [
            node.model_copy(update={"roles": (*node.roles, "dns")}) if node.number == 3 else node
            for node in three_node.nodes
        ]
        three_node = three_node.model_copy(update={"nodes": tuple(nodes)})
    rotation(three_node, said, monkeypatch, failed=not ours).drain([three_node.node("server-2")])
    assert said == []
