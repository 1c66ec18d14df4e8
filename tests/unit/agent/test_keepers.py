"""A job that moves leaves its data behind: a node that would notice changes nothing."""

import pytest

from nodriza.agent import keepers
from nodriza.host.host import Host

PATH = "/var/lib/nodriza/plans/shop.keepers"
OLD = {"database": "mysql on server-1", "broker": "redis on server-1"}
NEW = {**OLD, "database": "mysql on db-1"}


@pytest.fixture
def host(tmp_path):
    host = Host(str(tmp_path))
    host.mkdirs("/var/lib/nodriza/plans")
    return host


def request(now, uses=("database", "broker"), moved=(), whole=True):
    known = {"keepers": now, "uses": list(uses), "moved": list(moved)}
    return {"cluster": "shop", "whole": whole, **known}


def test_job_that_moved__is_told_with_who_had_its_data(host):
    keepers.remember(host, request(OLD))
    assert keepers.moved(host, request(OLD)) == {}
    assert keepers.moved(host, request(NEW)) == {"database": "mysql on server-1"}
    assert host.stat(PATH).mode == "0600"


def test_operator_who_has_moved_the_data__says_so_once(host):
    keepers.remember(host, request(OLD))
    said = request(NEW, moved=["database"])
    assert keepers.moved(host, said) == {}
    keepers.remember(host, said)
    assert keepers.moved(host, request(NEW)) == {}


def test_another_engine_on_the_same_node__has_other_data(host):
    keepers.remember(host, request(OLD))
    other = {**OLD, "database": "postgresql on server-1"}
    assert keepers.moved(host, request(other)) == {"database": "mysql on server-1"}


def test_service_that_nobody_does_any_more__is_told_by_who_did_it(host):
    keepers.remember(host, request(OLD))
    assert keepers.moved(host, request({"broker": OLD["broker"]})) == {
        "database": "mysql on server-1"
    }


def test_node_that_needs_a_job_no_more__does_not_mind(host):
    keepers.remember(host, request(OLD))
    without = request(OLD, uses=("broker",))
    assert keepers.moved(host, without) == {}
    keepers.remember(host, without)
    assert keepers.moved(host, request(NEW)) == {}


def test_node_that_is_new__or_has_a_part_of_its_plan__or_lost_its_memory__does_not_mind(host):
    assert keepers.moved(host, request(NEW)) == {}
    keepers.remember(host, request(OLD))
    assert keepers.moved(host, request(NEW, whole=False)) == {}
    for broken in ("[]", "{", "nonsense"):
        host.write(PATH, broken)
        assert keepers.moved(host, request(NEW)) == {}


def test_nothing_new__is_not_written_again(host):
    keepers.remember(host, request(OLD))
    before = host.stat(PATH)
    keepers.remember(host, request(OLD))
    assert host.stat(PATH) == before
