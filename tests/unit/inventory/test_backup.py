"""The section ``backup``: where copies go, when, and what can't be meant."""

from __future__ import annotations

import re

import pytest

from nodriza.errors import InventoryError
from nodriza.inventory import load_cluster
from tests.unit.inventory.conftest import GOOD

KEY = f"ssh-ed25519 {'A' * 68}"


def load(write, section):
    return load_cluster(write(f"{GOOD}backup: {section}\n"))


@pytest.mark.parametrize(
    "to", ["/mnt/backup", "s3:https://s3.example.org/bucket", "s3:https://10.0.9.9:9000/b/shop"]
)
def test_place__is_in_restic_s_words(write, to):
    cluster = load(write, f'{{to: "{to}"}}')
    assert cluster.backup.to == to
    assert "backup" in cluster.builder.roles
    assert not any("backup" in child.roles for child in cluster.children)


def test_sftp__needs_the_key_of_its_host(write):
    with pytest.raises(InventoryError, match="sftp needs host_key"):
        load(write, '{to: "sftp:me@10.0.9.9:/srv/backup"}')
    cluster = load(write, f'{{to: "sftp:me@10.0.9.9:/srv/backup", host_key: {KEY}}}')
    assert cluster.backup.remote == "sftp"


@pytest.mark.parametrize(
    "at",
    ["*-*-* 03:00", "hourly", "Mon..Fri 05:30", "Sun *-*-1..7 04:00:30", "*:0/15", "*-*-* *:05"],
)
def test_time__is_as_systemd_has_it(write, at):
    assert load(write, f'{{to: /mnt/backup, at: "{at}"}}').backup.at == at


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("{}", "backup: needs to"),
        ('{to: "relative"}', "must be a directory"),
        ('{to: "/mnt/../etc"}', "must be a directory"),
        ('{to: "s3:http://s3.example.org/b"}', "must be a directory"),
        ('{to: "/srv/shop/copies"}', "lies in /srv/shop"),
        ('{to: "/var/lib/copies"}', "lies in /var/lib"),
        ('{to: /mnt/b, at: "every day"}', "must be a time as systemd.time"),
        ('{to: /mnt/b, at: "03:00; reboot"}', "must be a time as systemd.time"),
        ("{to: /mnt/b, keep: {daily: 0, weekly: 0, monthly: 0}}", "keeps no backup at all"),
        (f"{{to: /mnt/b, host_key: {KEY}}}", "is for sftp, and the backup goes elsewhere"),
        ("{to: /mnt/b, host_key: ssh-ed25519 nope}", "must be the public key of the host"),
        ("{to: /mnt/b, memory_mb: 64}", "must be at least 128"),
        ("{to: /mnt/b, notify: {web: http://hook.example.org}}", "must be an https:// address"),
        ("{to: /mnt/b, notify: {mail: me@example.org}}", "mail and smtp, the mail server"),
    ],
)
def test_mistake__is_told_with_its_line(write, section, said):
    with pytest.raises(InventoryError) as told:
        load(write, section)
    line = GOOD.count("\n") + 1
    if section != "{}":
        assert said in str(told.value)
    assert re.search(rf":{line}:\d+ backup", str(told.value))
