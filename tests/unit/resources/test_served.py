"""The record of what served: whatever is killed, what never served is not in it."""

import json

import pytest

from nodriza.host.host import Host
from nodriza.resources import Served
from nodriza.resources.served import MOST, read_record

RECORD, CURRENT = "/var/lib/nodriza/releases/shop.jsonl", "/current"


@pytest.fixture
def host(tmp_path):
    return Host(str(tmp_path))


def entry(release, **more):
    return Served(RECORD, release, CURRENT, **more)


def record(host, release, **more):
    """The first half of a switch."""
    one = entry(release, **more)
    if Served.look(host, [one]) != [one.wanted()]:
        one.fix(host, Served.look(host, [one])[0])
    assert Served.look(host, [one]) == [one.wanted()]


def serve(host, release, **more):
    record(host, release, **more)
    host.symlink(CURRENT, f"/releases/{release}")


def served(host):
    return [each["release"] for each in read_record(host, RECORD, CURRENT)]


def test_record__is_what_served_in_the_order_in_which_it_did(host):
    for release in ("a", "b", "a", "c"):
        serve(host, release)
    assert served(host) == ["a", "b", "a", "c"]
    assert host.stat(RECORD).mode == "0600"


def test_release_that_is_deployed_again__adds_nothing(host):
    serve(host, "a")
    before = host.read(RECORD)
    serve(host, "a")
    assert host.read(RECORD) == before


def test_node_that_switches_before__serves_what_is_written_down(host):
    """A run that is killed between the two is no deploy, whatever the link says."""
    for release in ("a", "b"):
        host.symlink(CURRENT, f"/releases/{release}")
        Served(RECORD, release).fix(host, None)
    host.symlink(CURRENT, "/releases/c")  # and killed
    assert [each["release"] for each in read_record(host, RECORD, "")] == ["a", "b"]


def test_run_killed_before_the_switch__leaves_nothing_that_served(host):
    serve(host, "a")
    record(host, "b")  # and no switch
    assert served(host) == ["a"]
    serve(host, "c")
    assert served(host) == ["a", "c"]


def test_first_run_killed_before_the_switch__leaves_nothing_that_served(host):
    record(host, "a")
    assert served(host) == []
    serve(host, "b")
    assert served(host) == ["b"]


def test_run_killed_before_the_switch__goes_on_with_the_same_release(host):
    serve(host, "a")
    record(host, "b")
    serve(host, "b")
    assert served(host) == ["a", "b"]


def test_release_that_somebody_switched_to_by_hand__served_as_well(host):
    serve(host, "a")
    host.symlink(CURRENT, "/releases/by-hand")
    serve(host, "b")
    assert served(host) == ["a", "by-hand", "b"]


def test_cluster_without_a_record__begins_with_what_serves(host):
    host.symlink(CURRENT, "releases/old/")
    assert served(host) == ["old"]
    serve(host, "new")
    assert served(host) == ["old", "new"]


def test_record__says_how_and_from_which_commit(host):
    serve(host, "a", commit="0815")
    serve(host, "b")
    serve(host, "a", how="rollback")
    told = read_record(host, RECORD, CURRENT)
    assert [(each["how"], each["commit"]) for each in told] == [
        ("deploy", "0815"), ("deploy", ""), ("rollback", ""),
    ]  # fmt: skip


def test_record__has_an_end(host):
    one = {"release": "old", "at": 0.0, "how": "deploy", "commit": ""}
    host.mkdirs("/var/lib/nodriza/releases")
    host.write(RECORD, (json.dumps(one) + "\n") * (MOST + 50))
    host.symlink(CURRENT, "/releases/old")
    serve(host, "new")
    assert len(served(host)) == MOST
    assert served(host)[-2:] == ["old", "new"]
