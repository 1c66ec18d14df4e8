import dataclasses
import hashlib
import json
import os
import pwd

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodriza.host import tree
from nodriza.host.errors import HostError
from nodriza.host.host import Host
from nodriza.resources import Upload

FILE, PROGRAM, LINK = "100644", "100755", "120000"


class Controller:
    """Whom the agent of these tests asks: rows of (name, mode, content); what was asked for."""

    def __init__(self, *rows, damage=lambda data: data):
        self.rows = rows
        self.damage = damage
        self.asked = []
        sums = [hashlib.sha256(content).hexdigest() for _, _, content in rows]
        listed = [[n, m, len(c), sum] for (n, m, c), sum in zip(rows, sums, strict=True)]
        self.manifest = json.dumps(listed).encode()
        self.upload = Upload(
            "/srv/app",
            hashlib.sha256(self.manifest).hexdigest(),
            files=len(rows),
            size=sum(len(content) for _, _, content in rows),
            like="/srv/former",
        )

    def fetch(self, sha256, parts):
        assert sha256 == self.upload.sha256
        whole = [self.manifest, *(content for _, _, content in self.rows)]
        numbers = [number for first, last in parts for number in range(first, last + 1)]
        if numbers != [0]:
            self.asked += [self.rows[number - 1][0] for number in numbers]
        data = b"".join(whole[number] for number in numbers)
        data = data if numbers == [0] else self.damage(data)
        yield from (data[at : at + 7] for at in range(0, len(data), 7))

    def bring(self, host):
        host.fetch = self.fetch
        self.upload.fix(host, look(host, self.upload))


def files(**contents):
    return Controller(*((name, FILE, text.encode()) for name, text in contents.items()))


@pytest.fixture
def host(tmp_path):
    (tmp_path / "srv").mkdir()
    return Host(str(tmp_path))


def look(host, upload):
    return Upload.look(host, [upload])[0]


def test_upload__is_there_whole(host):
    here = Controller(
        ("deep/er/file", FILE, b"2"),
        ("empty", FILE, b""),
        ("file", FILE, b"1" * 100),
        ("run.sh", PROGRAM, b"#!"),
        ("tree/link", LINK, b"../file"),
    )
    assert look(host, here.upload) is None
    here.bring(host)
    assert look(host, here.upload) == here.upload.wanted() == {"sha256": here.upload.sha256}
    assert host.list("/srv") == ["app"]
    assert host.read("/srv/app/deep/er/file") == b"2"
    assert host.read("/srv/app/empty") == b""
    assert host.readlink("/srv/app/tree/link") == "../file"


def test_upload__is_root_s_and_only_who_may_execute_counts(host):
    Controller(("deep/er/run", PROGRAM, b"1"), ("file", FILE, b""), ("link", LINK, b"deep")).bring(
        host
    )
    me = pwd.getpwuid(os.geteuid()).pw_name  # root, where that is what the agent is
    for path in ("", "/deep", "/deep/er/run", "/file", "/link", "/.nodriza-upload"):
        assert host.stat(f"/srv/app{path}").owner == me, path
    assert host.stat("/srv/app/deep/er/run").mode == "0755"
    assert {host.stat(f"/srv/app/{name}").mode for name in ("file", ".nodriza-upload")} == {"0644"}
    assert {host.stat(f"/srv/app{path}").mode for path in ("", "/deep", "/deep/er")} == {"0755"}


def test_what_the_former_tree_has__does_not_travel(host):
    host.mkdirs("/srv/former/templates")
    for name, text in (("same", "1"), ("other", "2"), ("longer", "3"), ("templates/same", "4")):
        host.write(f"/srv/former/{name}", text)
    host.symlink("/srv/former/link", "same")
    here = Controller(
        ("link", LINK, b"same"),
        ("longer", FILE, b"333"),
        ("new", FILE, b"5"),
        ("other", FILE, b"x"),
        ("same", FILE, b"1"),
        ("templates/same", PROGRAM, b"4"),
    )
    here.bring(host)
    assert here.asked == ["longer", "new", "other"]
    assert {name: host.read(f"/srv/app/{name}") for name, _, _ in here.rows[1:]} == {
        name: content for name, _, content in here.rows[1:]
    }
    assert host.readlink("/srv/app/link") == "same"
    assert host.stat("/srv/app/templates/same").mode == "0755"


@pytest.mark.parametrize("there", ["a link", "a folder", "a pipe"])
def test_what_is_no_file_in_the_former_tree__travels(host, tmp_path, there):
    host.mkdirs("/srv/former")
    host.write("/srv/elsewhere", "text")
    path = tmp_path / "srv/former/file"
    {
        "a link": lambda: path.symlink_to("../elsewhere"),
        "a folder": path.mkdir,
        "a pipe": lambda: os.mkfifo(path),
    }[there]()
    here = files(file="text")
    here.bring(host)
    assert here.asked == ["file"]
    assert host.read("/srv/app/file") == b"text"


def test_many_files_that_are_lacking_here_and_there__are_asked_for_in_several_questions(
    host, monkeypatch
):
    monkeypatch.setattr("nodriza.resources.upload.RANGES", 2)
    host.mkdirs("/srv/former")
    names = [f"file{number:02}" for number in range(12)]
    for name in names[::2]:
        host.write(f"/srv/former/{name}", name)
    here = files(**{name: name for name in names})
    here.bring(host)
    assert here.asked == names[1::2]
    assert [host.read(f"/srv/app/{name}").decode() for name in names] == names


def test_upload__replaces_the_tree_of_another_one(host):
    files(old="").bring(host)
    new = files(new="")
    assert look(host, new.upload) != new.upload.wanted()
    new.bring(host)
    assert look(host, new.upload) == new.upload.wanted()
    assert host.list("/srv/app") == [".nodriza-upload", "new"]
    assert host.list("/srv") == ["app"]


@pytest.mark.parametrize("there", ["file", "directory", "link"])
def test_upload__replaces_what_was_not_its_own(host, there):
    if there == "file":
        host.write("/srv/app", "text")
    elif there == "directory":
        host.mkdirs("/srv/app/by-hand")
    else:
        host.mkdirs("/srv/elsewhere")
        host.symlink("/srv/app", "elsewhere")
    here = files(new="")
    assert look(host, here.upload) == {"sha256": None}
    here.bring(host)
    assert look(host, here.upload) == here.upload.wanted()


BAD = {
    "absolute path": [("/etc/evil", FILE, b"")],
    "path upwards": [("../evil", FILE, b"")],
    "path that hides it": [("a/./../../evil", FILE, b"")],
    "absolute link": [("link", LINK, b"/etc")],
    "link upwards": [("link", LINK, b"../..")],
    "links that climb together": [
        ("a/b/file", FILE, b""),
        ("a/b/up", LINK, b"../.."),
        ("link", LINK, b"a/b/up/../../etc"),
    ],
    "file through a link": [("link", LINK, b".."), ("link/evil", FILE, b"")],
    "link through a link": [("link", LINK, b".."), ("link/evil", LINK, b"x")],
    "the same name twice": [("file", FILE, b""), ("file", FILE, b"")],
    "device": [("null", "020666", b"")],
    "set-id program": [("run", "104755", b"")],
    "a marker of its own": [(".nodriza-upload", FILE, b"")],
}


@pytest.mark.parametrize("rows", BAD.values(), ids=BAD.keys())
def test_upload__that_could_reach_outside_is_refused_and_leaves_nothing(host, rows):
    before = files(old="1")
    before.bring(host)
    outside = host.list("/")
    with pytest.raises((HostError, OSError)):
        Controller(*rows).bring(host)
    assert look(host, before.upload) == before.upload.wanted()
    assert host.list("/srv") == ["app"]
    assert host.list("/srv/app") == [".nodriza-upload", "old"]
    assert host.list("/") == outside


DAMAGE = {
    "a byte": lambda data: data[:-1] + b"x",
    "shorter": lambda data: data[:-1],
    "longer": lambda data: data + b"x",
    "nothing": lambda data: b"",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_upload__that_comes_damaged_is_refused_and_leaves_nothing(host, damage):
    here = Controller(("a", FILE, b"text"), ("b", FILE, b"more"), damage=damage)
    with pytest.raises(HostError, match="came damaged|ended too early|more of the source"):
        here.bring(host)
    assert host.list("/srv") == []


def test_list_of_files__that_comes_damaged_is_refused(host):
    here = files(a="text")
    here.manifest = here.manifest.replace(b"100644", b"100755")
    with pytest.raises(HostError, match="list of files for /srv/app came damaged"):
        here.bring(host)
    assert host.list("/srv") == []


def test_upload__that_a_kill_interrupted_is_absent_and_done_by_the_next_run(host, monkeypatch):
    here = files(**{f"file{number}": "x" for number in range(5)})
    with monkeypatch.context() as patch:
        new_file = tree.new_file

        def killed(path, **options):
            if path.endswith("file3"):
                patch.setattr(Host, "remove", lambda self, path: None)  # no time to clean up
                raise KeyboardInterrupt
            return new_file(path, **options)

        patch.setattr(tree, "new_file", killed)
        with pytest.raises(KeyboardInterrupt):
            here.bring(host)
    assert host.list("/srv") == [".app.nodriza-new"]
    assert look(host, here.upload) is None
    here.bring(host)
    assert look(host, here.upload) == here.upload.wanted()
    assert host.list("/srv") == ["app"]


NAMES = st.lists(
    st.sampled_from(["a", "b", "\u00f1", ".hidden", "two words", "\udcff", "new\nline"]),
    min_size=1,
    max_size=3,
)


@given(contents=st.dictionaries(NAMES.map("/".join), st.binary(max_size=50), max_size=5))
@settings(max_examples=25)
def test_upload__twice_is_once(tmp_path_factory, contents):
    names = [n for n in contents if not any(other.startswith(f"{n}/") for other in contents)]
    host = Host(str(tmp_path_factory.mktemp("host")))
    host.mkdir("/srv")
    here = Controller(*((name, FILE, contents[name]) for name in names))
    for _ in range(2):
        here.bring(host)
        assert look(host, here.upload) == here.upload.wanted()
        assert host.list("/srv") == ["app"]
        assert {n: host.read(f"/srv/app/{n}") for n in names} == {n: contents[n] for n in names}


def test_upload__is_on_the_disk_before_it_has_its_name(host, monkeypatch):
    """Ten thousand files are flushed as one: sync(1)."""
    done = []
    run, rename, fsync = host.run, host.rename, os.fsync
    monkeypatch.setattr(
        host, "run", lambda argv, **more: (done.append(argv[0]), run(argv, **more))[1]
    )
    monkeypatch.setattr(host, "rename", lambda *a: (done.append("rename"), rename(*a))[1])
    monkeypatch.setattr(os, "fsync", lambda fd: (done.append("fsync"), fsync(fd))[1])
    files(**{f"file{number}": "x" for number in range(500)}).bring(host)
    assert done.index("sync") < done.index("rename")
    assert done.count("fsync") < 50


def test_upload_without_room__says_how_much_is_missing_and_asks_for_nothing(host, monkeypatch):
    here = files(a="text")
    monkeypatch.setattr("nodriza.host.room.RESERVE", 1 << 60)
    with pytest.raises(HostError, match=r"no room for /srv/app: \d+ MB are needed on the disk of"):
        here.upload.vet(host)
    monkeypatch.setattr("nodriza.host.room.RESERVE", 0)
    with pytest.raises(HostError, match="inodes"):
        Upload("/srv/app/x", "0" * 64, files=1 << 40, size=-(1 << 60)).vet(host)
    assert host.list("/srv") == []


def test_upload__makes_the_folder_that_it_is_in_and_takes_it_away_again(host):
    """A release that was never made leaves no empty one."""
    damaged = Controller(("a", FILE, b"text"), damage=lambda data: data[:-1])
    for here in (damaged, files(a="text")):
        here.upload = dataclasses.replace(here.upload, path="/srv/releases/abc/app")
    with pytest.raises(HostError):
        damaged.bring(host)
    assert host.list("/srv/releases") == []
    host.mkdirs("/srv/releases/abc/static")
    with pytest.raises(HostError):
        damaged.bring(host)
    assert host.list("/srv/releases/abc") == ["static"]
    here.bring(host)
    assert host.list("/srv/releases/abc") == ["app", "static"]
    assert host.stat("/srv/releases/abc").mode == "0755"
