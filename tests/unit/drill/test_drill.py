"""A drill reads backups and writes to none, and its copies of hosts reach no other host."""

from __future__ import annotations

import json
import os

import pytest
import yaml

from nodriza.drill import cluster as copies
from nodriza.drill import needs
from nodriza.drill import run as engine
from nodriza.drill.copy import Copied, Copy
from nodriza.errors import LabError, NodrizaError, TargetError
from nodriza.inventory import load_cluster
from nodriza.vault.store import Vault
from nodriza.watch import drills
from tests.unit.conftest import ROOT

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJf1Wp4Ql3y8q1h6J0m9F2q0yB4Rk6m0s8C1bV9cZt7d"
VALUES = {
    "backup_password": "word",
    "backup_ssh_key": "a key",
    "database_password": "sesame",
    "hook": "https://hooks.example.org/1",
}


def inventory(tmp_path, **said):
    """Of hosts that serve, with much that leads outside."""
    data = yaml.safe_load((ROOT / "inventories" / "three-node.yml").read_text())
    del data["lab"]
    data["cluster"] = "shop"
    data["networks"] = {"private": "10.20.0.0/16", "public": "203.0.113.0/24"}
    data["nodes"] = {
        "server-1": {"kind": "central", "private": "10.20.0.11", "memory_mb": 4096},
        "server-[2:3]": {
            "kind": "child",
            "private": "10.20.1.[12:13]",
            "public": "203.0.113.[12:13]",
            "ssh": {"host": "203.0.113.99"},
        },
        "video-1": {"kind": "video", "private": "10.20.2.21", "memory_mb": 8192},
    }
    data["app"]["source"] = str(ROOT / "examples" / "videoteca")
    data["app"]["hooks"] = {"after": ["secret:hook"]}
    data["app"]["environment"] = {"STATSD": "udp://10.20.2.21:8125", "OTHER": "110.20.2.21"}
    data["tls"] = {"mode": "acme", "email": "eva@example.org"}
    data["protected"] = True
    data["ssh"] = {"user": "deploy", "gateway": "eva@198.51.100.7"}
    data["backup"] = {"to": "sftp:keeper@10.20.9.9:/srv/repository", "host_key": KEY}
    data |= said
    path = tmp_path / "inventories" / "shop.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(data))
    return load_cluster(path)


@pytest.fixture(autouse=True)
def _no_lab(monkeypatch, tmp_path):
    monkeypatch.setenv("NODRIZA_LAB_STATE", str(tmp_path / "no-lab"))
    monkeypatch.setattr(copies, "free_networks", lambda: ("198.19.0.0/24", "198.19.1.0/24"))


@pytest.fixture
def shop(tmp_path):
    return inventory(tmp_path)


def written(shop, tmp_path, **said):
    folder = tmp_path / "drill"
    folder.mkdir()
    options = {"system": "trixie", "memory_mb": 6000, **said}
    path = copies.write(shop, list(shop.nodes), VALUES, folder, **options)
    return path, load_cluster(path)


def test_copy_of_a_cluster__has_no_address_no_hook_and_no_way_of_the_real_one(shop, tmp_path):
    path, copy = written(shop, tmp_path)
    text = path.read_text().replace(str(copy.lab.unreachable), "")
    data = yaml.safe_load(text)
    del data["lab"]
    text = yaml.safe_dump(data)
    for word in ("10.20.", "203.0.113.", "198.51.100.", "keeper", "secret:hook", "deploy\n"):
        assert word not in text.replace("110.20.2.21", ""), word
    assert [node.private for node in copy.nodes] == [f"198.19.0.{n}" for n in (11, 12, 13, 14)]
    assert copy.app.environment == {"STATSD": "udp://198.19.0.14:8125", "OTHER": "110.20.2.21"}
    assert (copy.name, copy.domain) == ("shop-drill", shop.domain)
    assert copy.tls.mode == "files"
    assert not copy.app.hooks.after
    assert not copy.protected


def test_machines__never_reach_a_host_of_the_cluster_nor_of_its_backups(shop, tmp_path):
    _, copy = written(shop, tmp_path)
    assert {"10.20.0.11", "10.20.1.12", "203.0.113.13", "203.0.113.99", "10.20.9.9"} < set(
        copy.lab.unreachable
    )
    assert "198.51.100.7" in copy.lab.unreachable
    assert copy.lab.release == "trixie"


def test_copy_of_a_cluster__can_only_read_backups(shop, tmp_path):
    path, copy = written(shop, tmp_path)
    assert (copy.backup.of, copy.backup.to) == ("shop", copies.COPIES)
    assert not copy.backup.notify.web
    assert copy.lab.folders == {copies.COPIES: str(tmp_path / "drill" / "copies")}
    vault = Vault(Vault.beside(path).path, tmp_path / "drill" / "age.key")
    assert set(vault.values()) == {"backup_password", "database_password", "hook", "tls_key"}
    assert (tmp_path / "drill" / "age.key").stat().st_mode & 0o077 == 0


def test_closed_copy__has_no_internet(shop, tmp_path):
    path, copy = written(shop, tmp_path)
    assert copy.lab.internet
    copies.close(path)
    assert not load_cluster(path).lab.internet


def test_memory__is_scaled_down_to_what_there_is(shop, tmp_path):
    _, copy = written(shop, tmp_path)
    assert sum(node.memory_mb for node in copy.nodes) <= 6000
    assert min(node.memory_mb for node in copy.nodes) >= copies.LEAST_MB
    assert needs.memory_mb(shop.nodes, free_mb=8000) == 5600
    with pytest.raises(LabError, match="4 nodes need 2048 MB"):
        needs.memory_mb(shop.nodes, free_mb=2000)


def test_only__leaves_out_nodes_and_never_one_that_keeps_data(shop):
    assert [n.name for n in copies.chosen(shop, "central,server-2")] == ["server-1", "server-2"]
    with pytest.raises(TargetError, match="leaves out server-1"):
        copies.chosen(shop, "child")
    with pytest.raises(TargetError, match="server-9"):
        copies.chosen(shop, "server-9")


def test_cluster_without_backups__is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(needs.programs, "require", lambda more: None)
    with pytest.raises(TargetError, match="no backup"):
        needs.refuse_without(inventory(tmp_path, backup=None), VALUES)
    copy = inventory(tmp_path, backup={"to": "/mnt/x", "of": "other"})
    with pytest.raises(TargetError, match="the backups of other"):
        needs.refuse_without(copy, VALUES)


def snapshot(number, run, host, cluster, *tags):
    words = [f"cluster={cluster}", f"run={run}", *tags]
    return {"id": f"id{number}", "hostname": host, "tags": words}


@pytest.fixture
def restic(tmp_path, monkeypatch):
    """One that writes down how it was called, and knows some snapshots."""
    asked = tmp_path / "asked"
    found = [
        snapshot(1, "20261130T010000Z", "server-1", "shop", "part=database"),
        snapshot(2, "20261130T010000Z", "server-1", "shop", "whole"),
        snapshot(3, "20261130T020000Z", "server-1", "shop", "part=database"),
        snapshot(4, "20261130T030000Z", "server-1", "other", "whole"),
    ]
    record = {
        "system": "bookworm",
        "served": {"commit": "c0ffee"},
        "parts": {"database": {"bytes": 9}},
    }
    (tmp_path / "snapshots").write_text(json.dumps(found))
    (tmp_path / "ours").write_text(json.dumps(found[:2]))
    (tmp_path / "record").write_text(json.dumps(record))
    program = tmp_path / "bin" / "restic"
    program.parent.mkdir()
    program.write_text(
        f"""#!/bin/sh
echo "$RESTIC_REPOSITORY|$RESTIC_FROM_REPOSITORY|$*" >>{asked}
case "$*" in
*snapshots*) test "${{RESTIC_REPOSITORY##*/}}" = copies && cat {tmp_path}/ours && exit
    cat {tmp_path}/snapshots ;;
*record.json) cat {tmp_path}/record ;;
*stats*) echo '{{"total_size": 12}}' ;;
*counts) printf 'rows of shop.a\\t20\\nrows of shop.b\\t1\\nchecksum of x\\t7\\n' ;;
esac
"""
    )
    program.chmod(0o755)
    monkeypatch.setattr("nodriza.drill.copy.PATH", f"{program.parent}:{os.environ['PATH']}")
    return asked


def test_repository_of_the_cluster__is_read_without_a_lock_and_never_written_to(
    shop, tmp_path, restic
):
    folder, asked = tmp_path / "drill", []
    folder.mkdir()
    copied = Copy(shop, VALUES, folder).take(asked.append)
    assert asked == [copied.size] == [12]
    assert copied.runs == {"server-1": "20261130T010000Z"}
    assert (copied.rows, copied.system, copied.served) == (21, "bookworm", {"commit": "c0ffee"})
    ours, theirs = str(folder / "copies"), shop.backup.to
    written_to = set()
    for line in restic.read_text().splitlines():
        to, source, words = line.split("|", 2)
        if theirs in (to, source):
            assert "--no-lock" in words.split(), words
        if not {"snapshots", "dump", "stats"} & set(words.split()):
            written_to.add(to)
    assert written_to == {ours}
    assert any(words.endswith("copy id1 id2") for words in restic.read_text().splitlines())
    assert "word" not in restic.read_text()


@pytest.mark.parametrize("word", ["backup", "forget", "prune", "unlock", "init"])
def test_word_that_writes__is_refused_for_the_repository_of_the_cluster(shop, tmp_path, word):
    with pytest.raises(LabError, match="not for the repository"):
        Copy(shop, VALUES, tmp_path)._there({"to": "x"}, word)


@pytest.fixture
def typed(shop, tmp_path, monkeypatch):
    """A drill whose commands are written down."""
    found = []
    vault = Vault(tmp_path / "v.secrets.age", tmp_path / "key", say=found.append)
    vault.change(lambda _: VALUES)
    monkeypatch.setattr(needs, "refuse_without", lambda *_: None)
    monkeypatch.setattr(engine, "ROOT", tmp_path / "drills")
    monkeypatch.setattr(engine.state, "RUN", tmp_path / "run")
    monkeypatch.setattr(engine.lab, "down", lambda *_, **__: found.append("lab.down"))
    monkeypatch.setattr(
        engine.Copy, "take", lambda self, enough: Copied({"server-1": "20261130T010000Z"}, 21)
    )
    drill = engine.DrillRun(shop, vault, lambda line: None)
    monkeypatch.setattr(drill, "_typed", lambda *words: found.append(" ".join(words)))
    monkeypatch.setattr(drill, "_refuse_open", lambda path: found.append("is it closed?"))
    return drill, found


def test_drill__is_closed_before_a_row_is_there_or_the_application_runs(typed):
    drill, found = typed
    done = drill.run(keep=False)
    assert found == [
        *("lab.up", "provision", "deploy --build", "lab.up", "is it closed?", "restore"),
        *("provision", "deploy", "smoke", "lab.down"),
    ]
    assert not done.failed
    assert not drill.folder.exists()


def test_drill_that_is_not_closed__restores_nothing_and_is_taken_down(typed, monkeypatch, shop):
    drill, found = typed

    def is_open(path):
        raise LabError("open")

    monkeypatch.setattr(drill, "_refuse_open", is_open)
    assert drill.run(keep=False).failed == "close"
    assert "restore" not in found
    assert found[-1] == "lab.down"
    assert drills.read(shop.path).wrong


def test_result__is_remembered_beside_the_inventory_and_a_failure_keeps_the_last_good_one(
    tmp_path,
):
    path = tmp_path / "shop.yml"
    assert drills.read(path).words == []
    good = drills.Drill(at=1795564800, seconds=432, backup="20261125T030000Z", rows=12)
    drills.remember(path, good)
    assert drills.read(path).words == [
        "this cluster could be rebuilt on 25 November 2026 in 7 min 12 s:"
        " 12 rows of backup 20261125T030000Z"
    ]
    drills.remember(path, good.model_copy(update={"failed": "restore"}))
    found = drills.read(path)
    assert found.wrong
    assert found.words[0].startswith("the drill of 25 November 2026 failed at restore")
    assert found.words[1].startswith("this cluster could be rebuilt")


def test_stage_that_fails__is_an_error_with_what_was_kept(typed, monkeypatch):
    drill, _ = typed
    monkeypatch.setattr(engine.sys, "executable", "/bin/false/python")
    monkeypatch.setattr(
        engine.subprocess, "run", lambda *_, **__: type("D", (), {"returncode": 3})
    )
    with pytest.raises(NodrizaError, match="fab provision ended with 3"):
        engine.DrillRun._typed(drill, "provision")
