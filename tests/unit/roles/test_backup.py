"""What a cluster that is backed up gets for it, and one that is not does not."""

from __future__ import annotations

import json
import subprocess

import pytest

from nodriza.plan.backups import backups
from nodriza.plan.plan import plan_node
from nodriza.resources import File
from tests.unit.backup.conftest import with_backup
from tests.unit.roles.made import content, resources, settings


@pytest.fixture
def backed_up(cluster):
    return with_backup(cluster)


def test_without_the_section__nothing_of_it_is_planned(cluster):
    for node in cluster.nodes:
        assert "backup" not in node.roles
        assert backups(node, cluster) == ()
        plan = plan_node(node, cluster)
        assert not [each for each in plan.resources if "backup" in each.resource.id]
        assert "log_bin" not in json.dumps(plan.to_data())


def test_database_and_share__are_backed_up_where_they_are(backed_up):
    found = {
        node.name: [each.name for each in backups(node, backed_up)] for node in backed_up.nodes
    }
    assert set(found.pop("server-1")) == {"database", "share", "queue"}
    assert not any(found.values())


def test_queue__is_swapped_and_the_data_beside_it_are_not(three_node):
    """The folder of one instance lies in that of another."""
    from nodriza.inventory.services import Placed

    data = Placed(engine="redis", on="server-1")
    both = with_backup(
        three_node.model_copy(update={"services": {**three_node.services, "data": data}})
    )
    found = {each.name: each.folder for each in backups(both.builder, both)}
    assert found["queue"] == "/var/lib/redis/appendonlydir"
    assert found["data"] == "/var/lib/redis/data/appendonlydir"
    assert "cache" not in found


def test_releases__are_not_in_it(backed_up):
    paths = [path for each in backups(backed_up.builder, backed_up) for path in each.paths]
    assert backed_up.app.media in paths
    assert backed_up.app.root not in paths


def test_secrets__are_in_files_of_root_s_alone(backed_up):
    files = resources(backed_up, "server-1", File)
    closed = [file for file in files if "‹secret:backup" in file.content]
    assert [(file.path, file.mode, file.owner) for file in closed] == [
        ("/etc/videoteca-backup/password", "0600", "root")
    ]


def test_sftp__accepts_one_key_of_its_host(three_node):
    key = f"ssh-ed25519 {'A' * 68}"
    cluster = with_backup(three_node, to="sftp:me@10.0.9.9:/srv/backup", host_key=key, port=2222)
    said = json.loads(content(cluster, "server-1", "/usr/local/lib/videoteca-backup/conf.json"))
    assert "StrictHostKeyChecking=yes" in said["sftp"]
    assert "-p 2222" in said["sftp"]
    assert "me@10.0.9.9 -s sftp" in said["sftp"]
    known = content(cluster, "server-1", "/etc/videoteca-backup/known_hosts")
    assert known == f"backup {key}\n"
    assert "‹secret:backup_ssh_key›" in content(
        cluster, "server-1", "/etc/videoteca-backup/ssh_key"
    )


def test_s3__has_its_keys_in_the_closed_file(three_node):
    cluster = with_backup(
        three_node, to="s3:https://s3.example.org/bucket", notify={"web": "secret:hook"}
    )
    env = settings(content(cluster, "server-1", "/etc/videoteca-backup/env"))
    names = [line.partition("=")[0] for line in env]
    assert names == ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "NOTIFY_URL"]
    assert all("‹secret:" in line for line in env)


MAIL = {"mail": "ops@example.org", "smtp": "smtp.example.org", "user": "shop"}


def test_mail__has_its_password_in_a_closed_file_alone(three_node):
    files = resources(with_backup(three_node, notify=MAIL), "server-1", File)
    having = [each for each in files if "backup_smtp_password" in (each.content or "")]
    assert [(each.path, each.mode) for each in having] == [
        ("/etc/videoteca-backup/smtp_password", "0600")
    ]
    conf = json.loads(
        content(
            with_backup(three_node, notify=MAIL),
            "server-1",
            "/usr/local/lib/videoteca-backup/conf.json",
        )
    )
    assert conf["mail"]["sender"] == "ops@example.org"
    assert conf["mail"]["port"] == 587


def test_backup__is_bounded_and_tells_when_it_fails(backed_up):
    for unit in ("videoteca-backup", "videoteca-backup-verify"):
        lines = settings(content(backed_up, "server-1", f"/etc/systemd/system/{unit}.service"))
        assert {"MemoryMax=512M", "IOWeight=20", "Nice=10"} <= {*lines}
        assert "OnFailure=videoteca-backup-failed@%n.service" in lines
        timer = settings(content(backed_up, "server-1", f"/etc/systemd/system/{unit}.timer"))
        assert "Persistent=yes" in timer


def test_database__logs_what_leads_from_a_copy_to_any_second(backed_up):
    lines = settings(content(backed_up, "server-1", "/etc/mysql/mariadb.conf.d/62-binary-log.cnf"))
    assert {"sync_binlog = 1", "binlog_format = ROW"} <= {*lines}


@pytest.mark.parametrize(
    "path",
    [
        "/usr/local/sbin/videoteca-backup",
        "/usr/local/sbin/videoteca-backup-database",
        "/usr/local/sbin/videoteca-backup-queue",
    ],
)
def test_scripts__are_sh(backed_up, path):
    script = content(backed_up, "server-1", path)
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)


def test_own_role__says_what_has_to_survive(tmp_path, monkeypatch):
    from nodriza.inventory import load_cluster
    from tests.unit.conftest import ROOT

    monkeypatch.setenv("NODRIZA_LAB_STATE", str(tmp_path / "no-lab"))
    (tmp_path / "roles").mkdir()
    (tmp_path / "inventories").mkdir()
    (tmp_path / "roles" / "mail.py").write_text(
        '"""mail: letters."""\n'
        "from nodriza.role import Backup, Directory\n"
        'BACKUPS = (Backup("mail", paths=("/var/vmail",)),)\n'
        "def mail(node, cluster):\n"
        '    """Where they lie."""\n'
        '    yield Directory("/var/vmail")\n'
    )
    lab = (ROOT / "inventories" / "three-node.yml").read_text()
    lab = lab.replace("../examples/", f"{ROOT}/examples/")
    own = "kinds: {central: {roles: [default, mail]}}\nbackup: {to: /mnt/backup}\n"
    (tmp_path / "inventories" / "mine.yml").write_text(f"{lab}\n{own}")
    cluster = load_cluster(tmp_path / "inventories" / "mine.yml")
    found = {each.name: each.paths for each in backups(cluster.builder, cluster)}
    assert found["mail"] == ("/var/vmail",)
    assert "database" in found
    said = json.loads(content(cluster, "server-1", "/usr/local/lib/videoteca-backup/conf.json"))
    assert "mail" in [part["name"] for part in said["parts"]]


def test_backups_of_another_cluster__have_no_timer_and_are_only_read(cluster):
    """They can be restored here."""
    copy = with_backup(cluster, of="production")
    plan = plan_node(copy.node("server-1"), copy)
    ids = [each.resource.id for each in plan.resources]
    assert not [each for each in ids if "backup" in each and each.endswith((".timer", ".service"))]
    conf = json.loads(content(copy, "server-1", "/usr/local/lib/videoteca-backup/conf.json"))
    assert (conf["cluster"], conf["read_only"]) == ("production", True)
    script = content(copy, "server-1", "/usr/local/sbin/videoteca-backup")
    assert "--no-lock" in script
    own = with_backup(cluster)
    assert "--no-lock" not in content(own, "server-1", "/usr/local/sbin/videoteca-backup")
