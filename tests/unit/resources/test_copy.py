"""A tree that was made on one node arrives on another as it was, or not at all."""

import dataclasses
import hashlib
import os
import pwd
import tarfile
import time
from pathlib import Path

import pytest

from nodriza.host import stamps, tree
from nodriza.host.errors import HostError
from nodriza.host.host import Host
from nodriza.resources import Copy, Intact, Sealed
from nodriza.resources.sealed import read_seal

SEALED = Sealed("/made/abc", seal="/var/seals/abc.json", pack="/share/abc.tar")
COPY_OF = "/own/abc"


@pytest.fixture
def host(tmp_path):
    host = Host(str(tmp_path))
    for folder in ("/made/abc/app/empty", "/share", "/own"):
        host.mkdirs(folder)
    host.write("/made/abc/app/file", "text")
    host.write("/made/abc/app/program", "#!/bin/sh", mode="0755")
    host.write("/made/abc/app/\u00f1 \n name", "odd")
    host.symlink("/made/abc/venv", "/own/venvs/xyz")
    return host


def look(host, one):
    return type(one).look(host, [one])[0]


def fix(host, one):
    one.fix(host, look(host, one))
    assert look(host, one) == one.wanted()


def sealed(host):
    fix(host, SEALED)
    seal = read_seal(host, SEALED.seal)
    return Copy(
        COPY_OF,
        pack=SEALED.pack,
        tree=seal["tree"],
        sha256=seal["sha256"],
        size=seal["size"],
    )


def test_copy__is_what_was_sealed(host):
    copy = sealed(host)
    assert look(host, copy) is None
    fix(host, copy)
    assert host.read(f"{COPY_OF}/app/file") == b"text"
    assert os.access(host.at(f"{COPY_OF}/app/program"), os.X_OK)
    assert host.readlink(f"{COPY_OF}/venv") == "/own/venvs/xyz"
    assert host.list("/own") == ["abc"], "nothing is left beside it"


@pytest.mark.parametrize(
    "change",
    [
        lambda host: host.write("/own/abc/app/file", "other"),
        lambda host: host.write("/own/abc/app/more", ""),
        lambda host: host.remove("/own/abc/app/file"),
        lambda host: host.remove("/own/abc/app/empty"),
        lambda host: host.own("/own/abc/app/file", *_me(), "0755"),
        lambda host: host.symlink("/own/abc/venv", "/elsewhere"),
        lambda host: host.rename("/own/abc/app/file", "/own/abc/app/fil"),
    ],
    ids=["content", "one more", "one less", "folder", "executable", "link", "name"],
)
def test_copy_that_somebody_changed__is_seen_and_mended(host, change):
    copy = sealed(host)
    fix(host, copy)
    change(host)
    assert look(host, copy) != copy.wanted()
    fix(host, copy)


def _me():
    me = str(os.geteuid())
    return me, str(os.getegid())


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-1] + b"x"),
        lambda path: path.write_bytes(path.read_bytes() + b"x"),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
        lambda path: (path.rename(f"{path}.real"), path.symlink_to(f"{path}.real")),
        lambda path: (path.unlink(), os.mkfifo(path)),
        lambda path: (path.unlink(), path.mkdir()),
    ],
    ids=["a byte", "longer", "empty", "gone", "a link", "a pipe", "a folder"],
)
def test_pack_that_another_node_changed__is_not_unpacked(host, tmp_path, change, monkeypatch):
    copy = sealed(host)
    change(tmp_path / "share/abc.tar")
    monkeypatch.setattr(host, "run", None)  # no program may see it
    with pytest.raises(HostError, match="/share/abc.tar"):
        copy.fix(host, None)
    assert host.list("/own") == []


def test_pack_with_something_else__is_refused_and_the_old_copy_stays(host, tmp_path):
    copy = sealed(host)
    fix(host, copy)
    with tarfile.open(tmp_path / "share/other.tar", "w") as tar:
        tar.add(__file__, "abc/file")
    fix(host, other := Sealed("/made/abc", seal="/var/seals/o.json", pack="/share/o.tar"))
    seal = read_seal(host, other.seal)
    wrong = Copy(
        COPY_OF, tree="0" * 64, pack="/share/o.tar", sha256=seal["sha256"], size=seal["size"]
    )
    with pytest.raises(HostError, match="something else"):
        wrong.fix(host, look(host, wrong))
    assert look(host, copy) == copy.wanted()


def test_seal_and_copy__are_on_the_disk_before_they_count(host, monkeypatch):
    """What is written by programs is flushed as a whole: sync(1)."""
    done = []
    run, rename, write = host.run, host.rename, host.write
    monkeypatch.setattr(
        host, "run", lambda argv, **more: (done.append(argv[0]), run(argv, **more))[1]
    )
    monkeypatch.setattr(host, "write", lambda *a, **k: (done.append("seal"), write(*a, **k))[1])
    monkeypatch.setattr(host, "rename", lambda *a: (done.append("rename"), rename(*a))[1])
    copy = sealed(host)
    assert done.index("sync") < done.index("seal")
    done.clear()
    fix(host, copy)
    assert done.index("tar") < done.index("sync") < done.index("rename")


def test_copy_and_pack_without_room__say_how_much_is_missing(host, tmp_path, monkeypatch):
    copy = sealed(host)
    (tmp_path / "share/abc.tar").unlink()
    monkeypatch.setattr("nodriza.host.room.RESERVE", 1 << 60)
    for one, disk in ((copy, "/own"), (SEALED, "/share")):
        with pytest.raises(HostError, match=rf"MB are needed on the disk of {disk}, and \d+ MB"):
            one.vet(host)


def test_pack_that_a_node_finds_to_be_another_one__is_read_again_by_who_made_it(host, tmp_path):
    """Its times say that nobody has changed it: by them alone it would never be mended."""
    copy = dataclasses.replace(sealed(host), user=pwd.getpwuid(os.geteuid()).pw_name)
    pack = tmp_path / "share/abc.tar"
    data, there = pack.read_bytes(), pack.stat()
    pack.write_bytes(data[:-1] + b"x")
    os.utime(pack, ns=(there.st_atime_ns, there.st_mtime_ns))
    stamps.write(host, SEALED.pack, {"": (*stamps.of(pack.stat()), copy.sha256)})
    assert look(host, SEALED) == SEALED.wanted(), "deceived"
    with pytest.raises(HostError, match="not what it was"):
        copy.fix(host, None)
    assert look(host, SEALED) == {"sealed": True, "packed": False}
    fix(host, SEALED)
    fix(host, copy)


def test_pack_that_nobody_has_changed__is_not_read(host, monkeypatch):
    sealed(host)
    monkeypatch.setattr(host, "run", None)
    assert look(host, SEALED) == SEALED.wanted()


def test_pack_that_could_not_be_written_whole__is_none(host, tmp_path, monkeypatch):
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "tar").write_text("#!/bin/sh\necho half; exit 2\n")
    (programs / "tar").chmod(0o755)
    monkeypatch.setattr("nodriza.host.host.PATH", f"{programs}:{os.environ['PATH']}")
    with pytest.raises(HostError):
        SEALED.fix(host, None)
    assert look(host, SEALED) == {"sealed": False, "packed": False}


def test_pack_that_is_gone_or_changed__is_made_again(host, tmp_path):
    sealed(host)
    (tmp_path / "share/abc.tar").write_bytes(b"x")
    assert look(host, SEALED) == {"sealed": True, "packed": False}
    fix(host, SEALED)
    (tmp_path / "share/abc.tar").unlink()
    fix(host, SEALED)


def test_seals__are_numbered_in_the_order_in_which_trees_were_made(host, tmp_path):
    sealed(host)
    later = Sealed("/own", seal="/var/seals/later.json")
    fix(host, later)
    (tmp_path / "share/abc.tar").unlink()
    fix(host, SEALED)  # packed again, and as old as before
    assert [read_seal(host, one.seal)["number"] for one in (SEALED, later)] == [1, 2]


def test_tree_that_changed_since_it_was_sealed__is_not_packed_again(host, tmp_path):
    sealed(host)
    (tmp_path / "share/abc.tar").unlink()
    host.write("/made/abc/app/file", "other")
    with pytest.raises(HostError, match="deploy it anew"):
        SEALED.fix(host, look(host, SEALED))


INTACT = Intact("/made/abc", seal=SEALED.seal, markers=("app/made",), parts=("app", "venv"))


def test_tree_that_somebody_changed__loses_its_seal_and_stays_until_it_is_made_anew(host):
    """It may be in use: on a share all other nodes read it meanwhile."""
    host.write("/made/abc/app/made", "of this")
    assert look(host, INTACT) == INTACT.wanted(), "not finished yet"
    sealed(host)
    assert look(host, INTACT) == INTACT.wanted()
    host.write("/made/abc/app/file", "other")
    host.write("/made/abc/more", "nobody runs it")
    assert look(host, INTACT) == {"intact": False}
    fix(host, INTACT)
    assert host.stat(SEALED.seal) is None
    assert host.list("/made/abc") == ["app", "venv"]
    assert host.list("/made/abc/app") == ["empty", "file", "program", "\u00f1 \n name"]


def test_tree_that_somebody_changed__is_seen_again_by_a_run_after_one_that_was_killed(host):
    host.write("/made/abc/app/made", "of this")
    sealed(host)
    host.write("/made/abc/app/file", "other")

    def dies(path):
        raise KeyboardInterrupt

    remove, host.remove = host.remove, dies
    with pytest.raises(KeyboardInterrupt):
        INTACT.fix(host, {"intact": False})
    host.remove = lambda path: remove(path) if path != SEALED.seal else dies(path)
    with pytest.raises(KeyboardInterrupt):
        INTACT.fix(host, {"intact": False})
    assert look(host, INTACT) == {"intact": False}, "it has its seal as long as its marker"
    assert host.stat("/made/abc/app/made") is None


@pytest.mark.parametrize("other", ["a link", "a file"])
def test_what_somebody_put_in_the_place_of_a_tree__goes_and_nothing_else(host, tmp_path, other):
    host.write("/made/abc/app/made", "of this")
    sealed(host)
    host.rename("/made/abc", "/elsewhere")
    (tmp_path / "made/abc").symlink_to("/elsewhere") if other == "a link" else host.write(
        "/made/abc", ""
    )
    fix(host, INTACT)
    assert host.list("/made") == []
    assert host.read("/elsewhere/app/made") == b"of this"


def test_tree_that_is_made_anew__is_there_all_the_time(host, monkeypatch):
    """And what was there is kept aside for whoever works in it."""
    copy = sealed(host)
    fix(host, copy)
    host.write("/own/abc/app/file", "other")
    seen = []
    for name in ("rename", "unlink", "rmdir", "mkdir"):
        real = getattr(os, name)

        def watched(*args, real=real, **options):
            seen.append(os.path.exists(host.at("/own/abc/app/file")))
            return real(*args, **options)

        monkeypatch.setattr(os, name, watched)
    fix(host, copy)
    assert seen
    assert all(seen)
    assert host.list("/own") == [".abc.1.nodriza-old", "abc"]
    assert host.read("/own/.abc.1.nodriza-old/app/file") == b"other"
    host.write("/own/abc/app/file", "once more")
    fix(host, copy)
    assert host.list("/own") == [".abc.1.nodriza-old", ".abc.2.nodriza-old", "abc"]


def test_file_system_without_an_exchange__gets_two_renames(host, monkeypatch):
    copy = sealed(host)
    fix(host, copy)
    host.write("/own/abc/app/file", "other")
    monkeypatch.setattr("nodriza.host.files._exchanged", lambda *_: False)
    fix(host, copy)
    assert host.list("/own") == [".abc.1.nodriza-old", "abc"]


def test_tree__is_sealed_without_what_a_killed_run_left_in_it(host):
    host.mkdirs("/made/abc/.app.nodriza-new")
    sealed(host)
    assert host.list("/made/abc") == ["app", "venv"]


def rest(host, folder):
    """Its files are no longer so young that the next change could have the same time."""
    newest = max(os.lstat(at).st_ctime_ns for at in Path(host.at(folder)).rglob("*"))
    while time.time_ns() < newest + stamps.RACY:
        time.sleep(0.01)


def read_files(monkeypatch):
    """The files that are read from now on."""
    read, real = [], os.open
    monkeypatch.setattr(
        os,
        "open",
        lambda path, *more, **other: (
            read.append(os.path.basename(os.fsdecode(path))),
            real(path, *more, **other),
        )[1],
    )
    return read


def test_file_that_was_not_changed_since_it_was_read__is_not_read_again(host, monkeypatch):
    rest(host, "/made")
    sealed(host)
    whole = tree.digest(host, "/made/abc", thorough=True)
    read = read_files(monkeypatch)
    assert tree.digest(host, "/made/abc") == whole
    assert not {"file", "program"} & {*read}
    assert tree.digest(host, "/made/abc", thorough=True) == whole
    assert {"file", "program"} < {*read}


def test_file_whose_times_were_put_back__is_read(host, tmp_path):
    rest(host, "/made")
    sealed(host)
    file = tmp_path / "made/abc/app/file"
    there, whole = file.stat(), tree.digest(host, "/made/abc")
    file.write_text("evil")
    os.utime(file, ns=(there.st_atime_ns, there.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (4, there.st_mtime_ns)
    assert tree.digest(host, "/made/abc") != whole


def test_file_that_was_just_written__is_read_again_next_time(host, monkeypatch):
    """A second change within the same tick of the kernel's clock would show in no time."""
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now)
    host.write("/made/abc/app/file", "text")
    sealed(host)
    assert "app/file" not in stamps.read(host, "/made/abc")


def test_stamps__that_nobody_can_read_are_none_and_those_of_trees_that_are_gone_go(host):
    rest(host, "/made")
    sealed(host)
    (place,) = [name for name in host.list(stamps.FOLDER) if name.endswith("abc")]
    host.write(f"{stamps.FOLDER}/{place}", "[half")
    assert stamps.read(host, "/made/abc") == {}
    host.remove("/made/abc")
    stamps.write(host, "/share", {})
    assert host.list(stamps.FOLDER) == ["%2Fshare", "%2Fshare%2Fabc.tar"]


def test_drift__reads_each_file(host, tmp_path):
    """As root can deceive the stamps."""
    copy = sealed(host)
    fix(host, copy)
    host.write("/own/abc/app/file", "evil")
    rest(host, "/own")
    evil = tree.content(host, "/own/abc").files
    known = {**evil, "app/file": (*evil["app/file"][:-1], hashlib.sha256(b"text").hexdigest())}
    stamps.write(host, "/own/abc", known)
    assert look(host, copy) == copy.wanted()
    assert look(host, dataclasses.replace(copy, thorough=True)) != copy.wanted()


def test_digest__is_none_where_no_directory_is(host):
    host.symlink("/link", "made")
    assert tree.digest(host, "/nowhere") is None
    assert tree.digest(host, "/link") is None


def test_digest__tells_what_is_next_to_each_other_apart(host):
    for folder, files in (("/x", {"a": "bc"}), ("/y", {"ab": "c"}), ("/z", {"a": "b", "c": ""})):
        host.mkdirs(folder)
        for name, text in files.items():
            host.write(f"{folder}/{name}", text)
    assert len({tree.digest(host, folder) for folder in ("/x", "/y", "/z")}) == 3
