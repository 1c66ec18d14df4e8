"""What ``fab status`` says of backups, and when it is red."""

from __future__ import annotations

import json

import pytest

from nodriza.report.result import NodeResult
from nodriza.watch import backups

NOW = 1_000_000
HOUR = 3600
TIMER = [{"id": "service:shop-backup.timer", "status": "ok"}]


def node(status=None, told=None, resources=TIMER):
    folder = "/var/lib/shop-backup"
    files = {f"{folder}/status.json": status, f"{folder}/told.json": told}
    said = {path: json.dumps(each) if each else "" for path, each in files.items()}
    result = NodeResult("server-1", resources=resources)
    result.facts["state"] = {"files": said}
    result.received = NOW
    return result


def first(at):
    return {"first": {"backup": at, "verify": at}}


GOOD = {
    "backup": {"run": "a", "at": NOW - HOUR},
    "verified": {"run": "a", "at": NOW, "of": NOW - HOUR},
    "due": NOW + HOUR,
    "verify_due": NOW + HOUR,
}


def test_new_cluster__has_no_backup_and_is_well_until_the_first_is_due():
    assert list(backups.wrong(node())) == []
    assert list(backups.words(node())) == ["no backup yet"]
    soon = node(told=first(NOW + 3 * HOUR))
    assert list(backups.wrong(soon)) == []
    assert list(backups.words(soon)) == ["no backup yet; the first is due in 3 h"]
    late = list(backups.wrong(node(told=first(NOW - HOUR))))
    assert late == ["no backup was ever made; the first was due 60 min ago"]


def test_backup_that_was_restored_in_time__is_well():
    assert list(backups.wrong(node(GOOD))) == []
    said = list(backups.words(node(GOOD)))
    assert said == ["newest backup 60 min old, the newest that was restored on trial 60 min"]


@pytest.mark.parametrize(
    ("status", "told", "wrong"),
    [
        ({"due": NOW - 1}, None, "the newest backup is 60 min old: overdue"),
        ({"verify_due": NOW - 1}, None, "restored on trial: 60 min old, overdue"),
        ({"verified": None, "verify_due": 0}, first(NOW - 1), "restored on trial: none, overdue"),
        (
            {"failed": {"backup": {"at": NOW, "why": "full"}}},
            None,
            "backup failed 0 min ago: full",
        ),
        ({}, {"failed": {"at": NOW, "why": "the web hook was not told"}}, "backup.notify, 0 min"),
    ],
)
def test_what_is_late_or_failed__is_told(status, told, wrong):
    found = list(backups.wrong(node(GOOD | status, told)))
    assert len(found) == 1
    assert wrong in found[0]


def test_trial_that_is_not_due_yet__is_no_fault():
    young = GOOD | {"verified": None, "verify_due": 0}
    assert list(backups.wrong(node(young, first(NOW + HOUR)))) == []
    assert "none was restored on trial yet" in next(backups.words(node(young)))


def test_node_without_a_timer_for_it__says_nothing():
    assert list(backups.wrong(node(resources=[]))) == []
    assert list(backups.words(node(GOOD, resources=[]))) == []
