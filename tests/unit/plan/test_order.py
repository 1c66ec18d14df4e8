"""In which order nodes change: it follows from what they need, and from no name."""

from __future__ import annotations

import re

import pytest

from nodriza.plan.order import in_order
from tests.unit.conftest import ROOT
from tests.unit.plan.test_offers import MUNIN, own

__all__ = ["own"]  # a fixture
PLAIN = """
kinds:
  video: {{roles: [default, munin]}}
"""
NEEDED = "  central: {{variables: {{needs: [munin]}}}}\n"


def order(cluster, *names):
    return in_order(cluster, names or [node.name for node in cluster.nodes])


def test_who_does_something_for_others__comes_before_them(three_node):
    assert order(three_node) == {
        "server-1": set(),
        "server-2": {"server-1"},
        "server-3": {"server-1"},
        "video-1": {"server-1"},
    }


def test_who_is_no_part_of_the_run__is_not_waited_for(three_node):
    assert order(three_node, "video-1", "server-3") == {"video-1": set(), "server-3": set()}


def test_order__has_those_first_that_are_waited_for(three_node):
    assert list(order(three_node, "video-1", "server-2", "server-1")) == [
        "server-1",
        "video-1",
        "server-2",
    ]


def test_node_that_needs_nothing_of_others__waits_for_nobody(own):
    alone = "kinds:\n  video: {{roles: [base, firewall]}}\n"
    assert order(own(kinds=alone))["video-1"] == set()


def test_job_that_several_nodes_do__makes_nobody_wait(own):
    needed = NEEDED.replace("central", "video")
    found = order(own(kinds=PLAIN.replace("video", "child") + needed))
    assert found["video-1"] == found["server-2"] == {"server-1"}


def test_of_nodes_that_need_each_other__the_one_that_most_need_comes_first(own):
    found = order(own(kinds=PLAIN + NEEDED))
    assert found["server-1"] == set()
    assert found["video-1"] == {"server-1"}


def test_chain_of_needs__is_followed_to_its_end(own):
    rows = MUNIN.replace('"munin"', '"database"').replace("munin", "rows")
    kinds = """
kinds:
  central: {{roles: [base, firewall, nfs_server, redis, app]}}
  video: {{roles: [base, firewall, rows]}}
"""
    found = order(own(kinds=kinds, rows=rows))
    assert list(found)[:2] == ["video-1", "server-1"]
    assert found["server-1"] == {"video-1"}
    assert found["server-2"] == {"video-1", "server-1"}


CENTRAL = re.compile(r"""\.central\b|\bcentral\s*=|['"]central['"]\]""")


@pytest.mark.parametrize("folder", ["nodriza", "roles", "templates", "fabfile", "bench"])
def test_node_that_does_many_jobs__is_asked_for_by_none_but_the_job_that_is_meant(folder):
    """``server(cluster, "share")``, ``cluster.builder``: never "the central node"."""
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sorted((ROOT / folder).rglob("*"))
        if path.suffix in (".py", ".j2") and "inventory" not in path.parts
        for line in path.read_text().splitlines()
        if CENTRAL.search(line) and not line.lstrip().startswith(".central")
    ]
    assert not found
