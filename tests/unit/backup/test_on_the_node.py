"""What the nodes' own program makes of what restic says, and of files."""

from __future__ import annotations

import os
import time

import pytest


def conf(tmp_path, **said):
    made = {
        "app": "shop",
        "cluster": "mine",
        "node": "server-1",
        "maker": "server-1",
        "to": "/mnt/backup",
        "sftp": "",
        "env": str(tmp_path / "env"),
        "password": str(tmp_path / "password"),
        "cache": str(tmp_path / "cache"),
        "state": str(tmp_path),
    }
    return {**made, **said}


def restic(tmp_path, monkeypatch, script):
    """A program of that name which says something."""
    path = tmp_path / "restic"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("Fatal: wrong password or no key found", "the repository has another password"),
        ("write /mnt/backup/x: no space left on device", "there is no room left where the copies"),
        ("subprocess ssh: Host key verification failed.", "another key than backup.host_key"),
        ("dial tcp 10.0.0.9:22: connect: connection refused", "/mnt/backup can't be reached"),
        ("tls: x509: certificate signed by unknown authority", "no certificate that this node"),
        ("Fatal: something new", "restic snapshots: Fatal: something new"),
    ],
)
def test_complaint_of_restic__is_told_with_what_to_do(program, tmp_path, monkeypatch, said, what):
    store = program["store"]
    restic(tmp_path, monkeypatch, f"echo '{said}' >&2; exit 1")
    with pytest.raises(store.Trouble, match=what) as told:
        store.Store(conf(tmp_path)).run("snapshots")
    assert told.value.do


def snapshot(number, run, *, part="", whole=False, host="server-1", cluster="mine"):
    tags = [f"cluster={cluster}", f"run={run}", *([f"part={part}"] if part else [])]
    return {"id": f"{number}", "hostname": host, "tags": [*tags, *(["whole"] if whole else [])]}


def holding(program, tmp_path, monkeypatch, *snapshots):
    store = program["store"].Store(conf(tmp_path))
    monkeypatch.setattr(store, "json", lambda *words: list(snapshots))
    return store


def test_run_that_was_killed_before_its_last_snapshot__is_no_backup(
    program, tmp_path, monkeypatch
):
    store = holding(
        program,
        tmp_path,
        monkeypatch,
        snapshot(1, "20261130T010000Z", part="database"),
        snapshot(2, "20261130T010000Z", whole=True),
        snapshot(3, "20261130T020000Z", part="database"),
    )
    assert [run.name for run in store.runs()] == ["20261130T010000Z"]
    assert store.runs()[0].parts == {"database": "1"}


def test_clock_that_was_set_back__leaves_the_newest_backup_the_newest(
    program, tmp_path, monkeypatch, capsys
):
    name = program["run"]._name
    ahead = snapshot(1, "20261130T023000Z", whole=True)
    other = snapshot(2, "20261130T080000Z", whole=True, host="server-9")
    store = holding(program, tmp_path, monkeypatch, ahead, other)
    half_past_one = 1796002200
    assert name(store, half_past_one) == "20261130T023001Z"
    assert "is it right?" in capsys.readouterr().out
    assert name(store, half_past_one + 2 * 3600) == "20261130T033000Z"
    assert name(holding(program, tmp_path, monkeypatch), half_past_one) == "20261130T013000Z"


def test_repository_of_another_cluster__is_refused(program, tmp_path, monkeypatch):
    other = snapshot(1, "20261130T010000Z", whole=True, cluster="theirs")
    store = holding(program, tmp_path, monkeypatch, other)
    with pytest.raises(program["store"].Trouble, match="has copies of the cluster theirs"):
        store.runs()


def test_repository_that_is_gone__is_not_made_anew(program, tmp_path, monkeypatch):
    """Its disk may not be mounted, and copies would go to the folder below."""
    says = "Fatal: unable to open config file. Is there a repository at the following location?"
    restic(
        tmp_path,
        monkeypatch,
        f"echo '{says}' >&2; test $1 = cat && exit 1; touch '{tmp_path}/made'",
    )
    store = program["store"]
    with pytest.raises(store.Trouble, match="no repository at /mnt/backup any more: it was abcd"):
        store.Store(conf(tmp_path)).open("abcd")
    assert not (tmp_path / "made").exists()


def test_repository_that_can_t_be_reached__is_not_taken_for_one_that_is_gone(
    program, tmp_path, monkeypatch
):
    """restic asks "Is there a repository …" in both cases."""
    said = "dial tcp 10.0.9.9:443: connect: connection refused. Is there a repository at the"
    script = f"echo '{said} following location?' >&2; test $1 = cat && exit 1; touch made"
    restic(tmp_path, monkeypatch, script)
    monkeypatch.chdir(tmp_path)
    store = program["store"]
    for known in ("", "abcd"):
        with pytest.raises(store.Trouble, match="can't be reached"):
            store.Store(conf(tmp_path)).open(known)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("node", ["server-1", "db-1"])
def test_repository__is_made_by_one_node_and_the_others_wait(program, tmp_path, monkeypatch, node):
    """Two that make it at once leave one that nobody can read."""
    store, made = program["store"], tmp_path / "made"
    monkeypatch.setattr(store, "MAKING", 0.2)
    monkeypatch.setattr(store, "EVERY", 0.05)
    says = "Is there a repository at the following location?"
    look = f"test -e '{made}' && echo '{{\"id\": \"1234\"}}' && exit 0; echo '{says}' >&2; exit 1"
    restic(
        tmp_path, monkeypatch, f"test $1 = init && touch '{made}'; test $1 = cat || exit 0; {look}"
    )
    here = store.Store(conf(tmp_path, node=node))
    if node == "server-1":
        assert here.open("") == "1234"
        return
    with pytest.raises(store.Trouble, match="no repository at /mnt/backup yet") as told:
        here.open("")
    assert "server-1 makes it" in told.value.do
    assert not made.exists()
    made.touch()
    assert here.open("") == "1234"


def test_another_repository_than_before__is_refused(program, tmp_path, monkeypatch):
    restic(tmp_path, monkeypatch, 'echo \'{"id": "1234"}\'')
    store = program["store"].Store(conf(tmp_path))
    assert store.open("") == "1234"
    assert store.open("1234") == "1234"
    with pytest.raises(program["store"].Trouble, match="has another repository"):
        store.open("abcd")


def test_password_and_keys__are_in_no_command_line(program, tmp_path):
    (tmp_path / "env").write_text('# for root\nAWS_SECRET_ACCESS_KEY="hush"\n')
    (tmp_path / "password").write_text("hush")
    store = program["store"].Store(conf(tmp_path, to="s3:https://s3.example.org/bucket"))
    assert "hush" not in " ".join(store.argv("backup"))
    assert store.env["AWS_SECRET_ACCESS_KEY"] == "hush"


def test_sample__is_of_files_that_stay_as_they_are(program, tmp_path):
    old = time.time() - 3600
    for number in range(50):
        file = tmp_path / "media" / f"{number}"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{number}")
        os.utime(file, (old, old))
    (tmp_path / "media" / "link").symlink_to("/etc/passwd")
    found = program["run"].sample([str(tmp_path / "media")], 20)
    assert len(found) == 20
    assert all(program["run"].digest(path) == digest for path, digest in found.items())
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "upload").write_text("not whole yet")
    assert program["run"].sample([str(tmp_path / "new")]) == {}


def test_counts_that_differ__are_no_backup(program):
    trial = program["trial"]
    wanted = trial.as_counts("rows of shop.cart\t12\nshop.cart\t4711\n")
    trial.compare("database", wanted, dict(wanted))
    with pytest.raises(program["store"].Trouble, match="rows of shop.cart: 11 in what was rest"):
        trial.compare("database", wanted, {**wanted, "rows of shop.cart": "11"})
    with pytest.raises(program["store"].Trouble, match="shop.cart: nothing in what was restored"):
        trial.compare("database", wanted, {"rows of shop.cart": "12"})


def test_name_of_a_file__is_no_pattern_for_restic(program):
    assert program["trial"].literally("/a/[b]*?\\c") == r"/a/\[b\]\*\?\\c"


def part(tmp_path):
    return {"name": "share", "program": "", "paths": [str(tmp_path / "media")], "units": []} | {
        "folder": "",
        "user": "",
    }


def test_swap__keeps_what_was_there_and_continues_where_it_was_killed(
    program, tmp_path, monkeypatch
):
    restore = program["restore"]
    for name, text in (("media", "old"), ("media.restored", "new")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(text)
    renames = []

    def killed_after_one(old, new):
        renames.append(new)
        if len(renames) == 2:
            raise KeyboardInterrupt
        rename(old, new)

    rename = os.rename
    monkeypatch.setattr(restore.os, "rename", killed_after_one)
    with pytest.raises(KeyboardInterrupt):
        restore._place(part(tmp_path), "1")
    assert not (tmp_path / "media").exists()
    monkeypatch.setattr(restore.os, "rename", rename)
    restore._place(part(tmp_path), "1")
    assert (tmp_path / "media" / "file").read_text() == "new"
    assert (tmp_path / "media.before-1" / "file").read_text() == "old"
    restore._place(part(tmp_path), "1")
    assert (tmp_path / "media" / "file").read_text() == "new"


def test_units_that_do_not_start_with_the_new_data__get_the_old_ones_back(
    program, tmp_path, monkeypatch
):
    restore = program["restore"]
    for name, text in (("media", "old"), ("media.restored", "new")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(text)
    told = []

    def units(word, part):
        told.append(word)
        if told == ["stop", "start"]:
            raise program["store"].Trouble("it does not start", "look")

    monkeypatch.setattr(restore, "_units", units)
    with pytest.raises(program["store"].Trouble, match="it does not start"):
        restore._place(part(tmp_path), "1")
    assert (tmp_path / "media" / "file").read_text() == "old"
    assert told == ["stop", "start", "start"]


@pytest.mark.parametrize("word", ["backup", "forget", "init", "unlock", "prune"])
def test_backups_of_another_cluster__are_only_read(program, tmp_path, word):
    store = program["store"]
    reading = store.Store(conf(tmp_path, read_only=True))
    with pytest.raises(store.Trouble, match="only read here"):
        reading.argv(word)
    assert reading.argv("snapshots") == ["restic", "--no-lock", "snapshots"]


def test_repository_that_is_only_read__is_not_made_and_not_unlocked(
    program, tmp_path, monkeypatch
):
    store = program["store"]
    asked = tmp_path / "asked"
    restic(tmp_path, monkeypatch, f'echo "$*" >>{asked}; echo \'{{"id": "0123456789"}}\'')
    assert store.Store(conf(tmp_path, read_only=True)).open("") == "0123456789"
    assert asked.read_text() == "--no-lock cat config\n"
    restic(
        tmp_path,
        monkeypatch,
        "echo 'Is there a repository at the following location?' >&2; exit 1",
    )
    with pytest.raises(store.Trouble, match="there is no repository"):
        store.Store(conf(tmp_path, read_only=True)).open("")
