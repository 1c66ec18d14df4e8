"""Backups on real machines: what was acknowledged comes back, and what goes wrong is told.

The copies go by SFTP to another machine. A writer is at work meanwhile, and its rows are counted.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import time
from collections.abc import Iterator

import pytest

from nodriza.lab import state
from nodriza.lab.containers import nspawn
from tests.lab.project import Project, Result

TARGET = "/srv/copies"
STATE = "/var/lib/videoteca-backup"
ROWS = "mariadb videoteca -NBe 'select count(*), max(id) from written'"
PRUNES = f"""
import json, pathlib
path = pathlib.Path("{STATE}/status.json")
path.write_text(json.dumps(json.loads(path.read_text()) | {{"pruned": 1}}))
"""
"""The next backup prunes the repository, as once a day."""
WRITE = "while :; do mariadb videoteca -e 'insert into written(s) values (uuid())'; done"
KILLS = int(os.environ.get("NODRIZA_BACKUP_KILLS", "20"))
"""Instants at which backups, prunes and trials are killed."""
SILENCE = """mariadb videoteca -NBe 'select max(gap) from (select timestampdiff(microsecond,
    lag(at) over (order by id), at) / 1e6 gap, id from written) g where id > %s'"""
"""The longest time between two rows, in seconds."""


@pytest.fixture(scope="module")
def project(
    tmp_path_factory: pytest.TempPathFactory, times: dict[str, float]
) -> Iterator[Project]:
    """A cluster that serves, with rows and files, backed up to a machine that it knows."""
    project = Project.make(
        tmp_path_factory.mktemp("backup"), "labbackups", 82, children=1, videos=0
    )
    project.times = times
    with project.up():
        keeper(project)
        project.fab("provision", timeout=900).well()
        project.fab("deploy", timeout=900).well()
        fill(project)
        yield project


def keeper(project: Project) -> None:
    """server-2 keeps the copies, for an account that can do nothing else with them."""
    project.on("server-2", f"useradd -m keeper && install -d -o keeper -m 0700 {TARGET}")
    project.on("server-2", "install -d -o keeper -m 0700 /home/keeper/.ssh")
    project.on("server-2", "ssh-keygen -qt ed25519 -N '' -f /root/key")
    project.on("server-2", "install -o keeper /root/key.pub /home/keeper/.ssh/authorized_keys")
    key = project.on("server-2", "cat /etc/ssh/ssh_host_ed25519_key.pub").split()
    address = project.cluster.node("server-2").private
    project.data["backup"] = {
        "to": f"sftp:keeper@{address}:{TARGET}/repository",
        "host_key": f"{key[0]} {key[1]}",
        "keep": {"hourly": 24},
    }
    project.write()
    secret = project.on("server-2", "cat /root/key")
    refused = project.fab("provision")
    assert refused.exit == 1
    assert "backup: there is no secret backup_ssh_key" in refused.stderr
    file = project.folder / "key"
    file.write_text(secret)
    with file.open() as stdin:
        project.fab("secrets.set", "backup_ssh_key", stdin=stdin).well()


def fill(project: Project) -> None:
    sql = (
        "create table written(id bigint auto_increment primary key, s char(36),"
        " at timestamp(6) default now(6)); insert into written(s) select uuid()"
        " from seq_1_to_20000"
    )
    project.on("server-1", f"mariadb videoteca -e '{sql}'")
    media = project.cluster.app.media
    many = f"mkdir {media}/many; for i in $(seq 500); do echo $i >{media}/many/$i; done"
    project.on("server-1", f"{many}; touch -d '2 hours ago' {media}/many/*")
    project.on("server-1", f"chown -R {project.cluster.app.user}: {media}/many")


@pytest.fixture
def writing(project: Project) -> Iterator[None]:
    """Somebody writes all the time."""
    project.on("server-1", f'systemd-run --quiet --unit=writer sh -c "{WRITE}"')
    try:
        yield
    finally:
        project.on("server-1", "systemctl stop writer; systemctl reset-failed writer || true")


def rows(project: Project) -> list[int]:
    return [int(word) for word in project.on("server-1", ROWS).split()]


def status(project: Project) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(
        project.on("server-1", f"cat {STATE}/status.json")
    )
    return found


def left(project: Project) -> str:
    """What a run should not leave: scratch folders, locks of restic's, units."""
    return project.on(
        "server-1",
        f"ls -d {STATE}/scratch {STATE}/restore /var/lib/mysql.restored 2>/dev/null;"
        " videoteca-backup restic list locks --no-lock;"
        " systemctl list-units --no-legend --state=active 'videoteca-backup-trial*'; true",
    ).strip()


def test_new_cluster__has_no_backup_yet_and_is_well(project: Project) -> None:
    told = project.fab("status").well()
    assert "no backup yet" in told.said


def test_backup__is_restored_on_trial_while_somebody_writes(
    project: Project, writing: None
) -> None:
    before, last = rows(project)
    done = project.fab("backup").well()
    silence = float(project.on("server-1", SILENCE % last))
    project.times["longest silence of a writer during fab backup"] = silence
    assert silence < 10, "nobody notices"
    assert re.search(r"backup \d{8}T\d{6}Z: \d+ files", done.said)
    told = project.fab("status")
    assert "none was restored on trial yet" in told.said
    project.times["fab backup"] = done.seconds
    done = project.fab("backup.verify").well()
    project.times["fab backup.verify"] = done.seconds
    assert re.search(r"was restored on trial: \d+ counts and checksums and 20 files", done.said)
    assert rows(project)[0] > before
    assert project.fab("status").exit == 0
    assert "restored on trial" in project.fab("backup.list").well().stdout
    assert left(project) == ""


def test_second_provision__changes_nothing(project: Project) -> None:
    assert project.fab("provision", "--json").well().changed() == {}


def test_secrets__are_in_no_command_line_and_no_log(project: Project, writing: None) -> None:
    password = project.on("server-1", "cat /etc/videoteca-backup/password").strip()
    project.on("server-1", "systemctl start --no-block videoteca-backup-verify")
    seen = ""
    for _ in range(40):
        seen += project.on("server-1", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '")
        time.sleep(0.1)
    assert "restic" in seen
    assert password not in seen
    assert password not in project.on("server-1", "journalctl --no-pager")
    assert project.on("server-1", "stat -c %a /etc/videoteca-backup").strip() == "700"
    project.on("server-1", "systemctl start videoteca-backup-verify")


def test_restore__is_refused_where_there_are_data(project: Project) -> None:
    told = project.fab("restore")
    assert told.exit == 2
    assert "there are data" in told.stderr
    assert "fab restore --replace" in told.stderr


def test_restore__brings_the_database_to_a_second(project: Project, writing: None) -> None:
    project.fab("backup").well()
    time.sleep(3)
    at = project.on("server-1", "date -u '+%Y-%m-%d %H:%M:%S'").strip()
    time.sleep(3)
    project.on("server-1", "systemctl stop writer")
    until = f"mariadb videoteca -NBe \"select count(*), max(id) from written where at < '{at}'\""
    wanted = project.on("server-1", until)
    project.on("server-1", "mariadb videoteca -e 'delete from written where id % 2'")
    done = project.fab("restore", "--at", at, "--only", "database", "--replace").well()
    project.times["fab restore --at --only database"] = done.seconds
    assert project.on("server-1", ROWS) == wanted
    assert "kept: /var/lib/mysql.before-" in done.said
    project.fab("provision").well()
    project.on("server-1", "rm -r /var/lib/mysql.before-*")
    assert left(project) == ""


def test_time_before_a_restore_and_no_backup_since__is_told(project: Project) -> None:
    """The logs go on after a restore, with another history."""
    at = project.on("server-1", "sleep 2; date -u '+%Y-%m-%d %H:%M:%S'; sleep 1").strip()
    told = project.fab("restore", "--at", at, "--only", "database", "--replace")
    assert told.exit == 1
    assert "no backup between it and" in told.said
    project.fab("backup").well()


def test_share__comes_back_file_by_file(project: Project) -> None:
    media = project.cluster.app.media
    sums = f"cd {media} && find . -type f | sort | xargs sha256sum"
    before = project.on("server-1", sums)
    project.on("server-1", f"rm -r {media}/many && echo new >{media}/new")
    done = project.fab("restore", "--only", "share", "--replace").well()
    assert project.on("server-1", sums) == before
    aside = re.findall(rf"kept: ({media}\.before-\w+)", done.said)
    assert project.on("server-1", f"cat {aside[0]}/new").strip() == "new"
    project.on("server-1", f"rm -r {aside[0]}")


def refuses(project: Project, words: str, command: str = "backup") -> Result:
    told = project.fab(command)
    assert told.exit == 1
    assert words in told.said, told.said
    assert "next: " in told.said
    shown = project.fab("status", "--json")
    assert shown.exit == 1
    wrong = json.loads(shown.stdout)["server-1"]["wrong"]
    assert any(words in each for each in wrong), wrong
    return told


@contextlib.contextmanager
def well_again(project: Project) -> Iterator[None]:
    yield
    project.fab("backup").well()
    assert project.fab("status").exit == 0
    assert left(project) == ""


def test_wrong_password__is_told(project: Project) -> None:
    file = "/etc/videoteca-backup/password"
    with well_again(project):
        project.on("server-1", f"cp {file} /root/password; echo another-one >{file}")
        refuses(project, "the repository has another password")
        project.on("server-1", f"cp /root/password {file}")


def test_target_that_is_away__is_told(project: Project) -> None:
    private = project.cluster.node("server-2").private
    cut = "nft add table inet cut;"
    cut += " nft add chain inet cut o '{ type filter hook output priority 0; }';"
    with well_again(project):
        project.on(
            "server-1", f"{cut} nft add rule inet cut o ip daddr {private} tcp dport 22 reject"
        )
        refuses(project, "can't be reached")
        project.on("server-1", "nft delete table inet cut")


def test_host_with_another_key__is_not_sent_anything(project: Project) -> None:
    known = "/etc/videoteca-backup/known_hosts"
    with well_again(project):
        other = project.on(
            "server-1", "cut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub"
        ).strip()
        project.on("server-1", f"cp {known} /root/known; echo 'backup {other}' >{known}")
        refuses(project, "the host of the copies has another key")
        project.on("server-1", f"cp /root/known {known}")


def test_target_that_is_full__is_told_and_older_ones_stay(project: Project) -> None:
    """A disk of its own, as large as what is on it."""
    move = (
        f"mv {TARGET} {TARGET}.whole && mkdir {TARGET} && mount -t tmpfs -o size=$(( $(du -sk"
        f" {TARGET}.whole | cut -f 1) + 600 ))k none {TARGET} && cp -a {TARGET}.whole/. {TARGET}/"
        f" && chown keeper {TARGET}"
    )
    with well_again(project):
        project.on("server-2", move)
        more = "insert into written(s) select uuid() from seq_1_to_200000"
        project.on("server-1", f"mariadb videoteca -e '{more}'")
        try:
            refuses(project, "the host of the copies can't write there")
            assert "restored on trial" in project.fab("backup.verify").well().said
        finally:
            away = f"umount {TARGET} && rmdir {TARGET} && mv {TARGET}.whole {TARGET}"
            project.on("server-2", away)


def test_repository_that_is_gone__is_not_made_anew(project: Project) -> None:
    with well_again(project):
        project.on("server-2", f"mv {TARGET}/repository {TARGET}/elsewhere")
        refuses(project, "there is no repository at")
        project.on("server-2", f"mv {TARGET}/elsewhere {TARGET}/repository")


def test_repository_of_another_cluster__is_refused(project: Project) -> None:
    with well_again(project):
        conf = "/usr/local/lib/videoteca-backup/conf.json"
        swap = f's/"cluster": "{project.name}"/"cluster": "another"/'
        project.on("server-1", f"cp {conf} /root/conf; sed -i '{swap}' {conf}")
        refuses(project, f"has copies of the cluster {project.name}")
        project.on("server-1", f"cp /root/conf {conf}")


def test_no_room_for_a_trial__is_told_before_anything_is_written(project: Project) -> None:
    with well_again(project):
        project.on(
            "server-1",
            f"cp -a {STATE}/status.json /root/ && mount -t tmpfs -o size=100m none {STATE}"
            f" && cp -a /root/status.json {STATE}/",
        )
        told = refuses(project, "MB free, and database needs", "backup.verify")
        assert "make room" in told.said
        project.on("server-1", f"umount {STATE}")
        project.fab("backup.verify").well()


def test_damaged_pack__is_found_by_the_trial(project: Project) -> None:
    packs = f"find {TARGET}/repository/data -type f -size +100k"
    with well_again(project):
        project.on("server-2", f"cp -a {TARGET}/repository {TARGET}/good")
        damage = "dd if=/dev/urandom of=$pack bs=1 seek=5000 count=300 conv=notrunc status=none"
        project.on("server-2", f"for pack in $({packs}); do chmod u+w $pack; {damage}; done")
        project.on("server-1", "rm -rf /var/cache/videoteca-backup")
        told = project.fab("backup.verify")
        assert told.exit == 1
        assert "next: " in told.said
        project.on("server-2", f"rm -r {TARGET}/repository; mv {TARGET}/good {TARGET}/repository")
        project.fab("backup.verify").well()


def test_kill_at_any_instant__is_mended_by_the_next_run(project: Project, writing: None) -> None:
    chance = random.Random(17)
    for number in range(KILLS):
        unit = ("videoteca-backup", "videoteca-backup", "videoteca-backup-verify")[number % 3]
        if number % 3 == 1:
            project.on("server-1", f"python3 -c '{PRUNES}'")
        project.on("server-1", f"systemctl start --no-block {unit}")
        time.sleep(chance.uniform(0.1, 9))
        project.on(
            "server-1", f"systemctl kill --signal=KILL {unit} || true; systemctl stop {unit}"
        )
    project.fab("backup").well()
    project.fab("backup.verify").well()
    assert left(project) == ""
    listed = project.on("server-1", "videoteca-backup restic snapshots --json --no-lock")
    found = [set(each["tags"]) for each in json.loads(listed)]
    runs = {tag for tags in found if "whole" in tags for tag in tags if tag.startswith("run=")}
    assert not [tags for tags in found if not runs & tags]


def test_kill_of_a_restore__is_mended_by_the_same_command(project: Project) -> None:
    chance = random.Random(18)
    project.fab("backup").well()
    wanted = project.on("server-1", ROWS)
    for number in range(max(5, KILLS // 2)):
        word = "place" if number % 5 > 2 else "prepare"
        words = "prepare '' database" if word == "prepare" else word
        if word == "place":
            project.on("server-1", "videoteca-backup prepare '' database")
        unit = f"victim-{number}"  # the one before may not be gone yet
        project.on("server-1", f"systemd-run --quiet --unit={unit} videoteca-backup {words}")
        time.sleep(chance.uniform(0.1, 5 if word == "prepare" else 1.5))
        project.on(
            "server-1", f"systemctl kill --signal=KILL {unit}; systemctl reset-failed {unit}; true"
        )
    project.fab("restore", "--only", "database", "--replace").well()
    assert project.on("server-1", ROWS) == wanted
    assert left(project) == ""
    project.on("server-1", "rm -rf /var/lib/mysql.before-*")


def test_everything_is_lost__and_comes_back(project: Project) -> None:
    """The central node's disk: inventory, vault and the copies make it again."""
    project.fab("backup").well()
    wanted = project.on("server-1", ROWS)
    media = project.cluster.app.media
    sums = f"cd {media} && find . -type f | sort | xargs sha256sum"
    files = project.on("server-1", sums)
    began = time.monotonic()
    lost(project)
    project.fab("provision", timeout=900).well()
    project.fab("restore", timeout=900).well()
    project.fab("provision", timeout=900).well()
    project.fab("deploy", timeout=900).well()
    project.times["everything lost: provision, restore, provision, deploy"] = (
        time.monotonic() - began
    )
    assert project.on("server-1", ROWS) == wanted
    assert project.on("server-1", sums) == files
    assert project.fab("provision", "--json").well().changed() == {}


def lost(project: Project) -> None:
    """A new disk for server-1; the machine with the copies stays."""
    nspawn.Machine(state.Place(project.name), "server-1").remove()
    project.fab("lab.up", timeout=900).well()
