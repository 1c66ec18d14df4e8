import hashlib
import io
import os
import pwd
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodriza.agent import tree
from nodriza.agent.host import Host, HostError
from nodriza.resources import Archive


@pytest.fixture
def host(tmp_path):
    (tmp_path / "srv").mkdir()
    return Host(str(tmp_path))


def packed(*members):
    """A tar.gz of (name, content), (name, None) for a directory, or ready TarInfos."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
                continue
            name, content = member
            info = tarfile.TarInfo(name)
            if content is None:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            else:
                info.size = len(content)
                info.mode = 0o4777
                info.uid = 12345
                tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def member(name, type, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = type, target
    return info


def look(host, archive):
    return Archive.look(host, [archive])[0]


def test_archive__is_unpacked_whole(host):
    link = member("tree/link", tarfile.SYMTYPE, "../file")
    hard = member("hard", tarfile.LNKTYPE, "file")
    data = packed(("file", b"1"), ("tree", None), ("deep/er/file", b"2"), link, hard)
    archive = Archive("/srv/app", data)
    assert look(host, archive) is None
    archive.fix(host, None)
    assert look(host, archive) == archive.wanted() == {"sha256": hashlib.sha256(data).hexdigest()}
    assert host.list("/srv") == ["app"]
    assert host.read("/srv/app/deep/er/file") == b"2"
    assert host.read("/srv/app/hard") == b"1"
    assert host.readlink("/srv/app/tree/link") == "../file"


def test_archive__is_root_s_and_takes_no_dangerous_mode(host):
    link = member("link", tarfile.SYMTYPE, "deep")
    Archive("/srv/app", packed(("deep/er/file", b"1"), link)).fix(host, None)
    me = pwd.getpwuid(os.geteuid()).pw_name  # root, where that is what the agent is
    for path in ("", "/deep", "/deep/er/file", "/link", "/.nodriza-archive"):
        assert host.stat(f"/srv/app{path}").owner == me, path
    assert host.stat("/srv/app/deep/er/file").mode == "0755"
    assert host.stat("/srv/app/.nodriza-archive").mode == "0644"
    assert {host.stat(f"/srv/app{path}").mode for path in ("", "/deep", "/deep/er")} == {"0755"}


def test_archive__replaces_the_tree_of_another_one(host):
    Archive("/srv/app", packed(("old", b""))).fix(host, None)
    new = Archive("/srv/app", packed(("new", b"")))
    assert look(host, new) != new.wanted()
    new.fix(host, look(host, new))
    assert look(host, new) == new.wanted()
    assert host.list("/srv/app") == [".nodriza-archive", "new"]
    assert host.list("/srv") == ["app"]


@pytest.mark.parametrize("there", ["file", "directory", "link"])
def test_archive__replaces_what_was_not_its_own(host, there):
    if there == "file":
        host.write("/srv/app", "text")
    elif there == "directory":
        host.mkdirs("/srv/app/by-hand")
    else:
        host.mkdirs("/srv/elsewhere")
        host.symlink("/srv/app", "elsewhere")
    archive = Archive("/srv/app", packed(("new", b"")))
    assert look(host, archive) == {"sha256": None}
    archive.fix(host, look(host, archive))
    assert look(host, archive) == archive.wanted()


BAD = {
    "absolute path": [("/etc/evil", b"")],
    "path upwards": [("../evil", b"")],
    "path that hides it": [("a/./../../evil", b"")],
    "absolute link": [member("link", tarfile.SYMTYPE, "/etc")],
    "link upwards": [member("link", tarfile.SYMTYPE, "../..")],
    "links that climb together": [
        ("a/b/file", b""),
        member("a/b/up", tarfile.SYMTYPE, "../.."),
        member("link", tarfile.SYMTYPE, "a/b/up/../../etc"),
    ],
    "file through a link": [member("link", tarfile.SYMTYPE, ".."), ("link/evil", b"")],
    "link through a link": [
        member("link", tarfile.SYMTYPE, ".."),
        member("link/evil", tarfile.SYMTYPE, "x"),
    ],
    "hard link to outside": [member("hard", tarfile.LNKTYPE, "../../etc/passwd")],
    "device": [member("null", tarfile.CHRTYPE)],
    "pipe": [member("pipe", tarfile.FIFOTYPE)],
    "a marker of its own": [(".nodriza-archive", b"")],
}


@pytest.mark.parametrize("members", BAD.values(), ids=BAD.keys())
def test_archive__that_could_reach_outside_is_refused_and_leaves_nothing(host, members):
    before = Archive("/srv/app", packed(("old", b"1")))
    before.fix(host, None)
    outside = host.list("/")
    bad = Archive("/srv/app", packed(*members))
    with pytest.raises((HostError, OSError)):
        bad.fix(host, look(host, bad))
    assert look(host, before) == before.wanted()
    assert host.list("/srv") == ["app"]
    assert host.list("/srv/app") == [".nodriza-archive", "old"]
    assert host.list("/") == outside


@pytest.mark.parametrize("damage", [lambda d: d[:-20], lambda d: b"text", lambda d: b""])
def test_archive__that_is_damaged_is_refused(host, damage):
    archive = Archive("/srv/app", damage(packed(("file", os.urandom(5000)))))
    with pytest.raises(HostError, match="the archive for /srv/app can't be read"):
        archive.fix(host, None)
    assert host.list("/srv") == []


def test_archive__that_a_kill_interrupted_is_absent_and_done_by_the_next_run(host, monkeypatch):
    archive = Archive("/srv/app", packed(*((f"file{number}", b"x") for number in range(5))))
    with monkeypatch.context() as patch:
        new_file, remove = tree.new_file, Host.remove

        def killed(path, **options):
            if path.endswith("file3"):
                patch.setattr(Host, "remove", lambda self, path: None)  # no time to clean up
                raise KeyboardInterrupt
            return new_file(path, **options)

        patch.setattr(tree, "new_file", killed)
        with pytest.raises(KeyboardInterrupt):
            archive.fix(host, None)
        assert remove is not Host.remove
    assert host.list("/srv") == [".app.nodriza-new"]
    assert look(host, archive) is None
    archive.fix(host, None)
    assert look(host, archive) == archive.wanted()
    assert host.list("/srv") == ["app"]


NAMES = st.lists(st.sampled_from(["a", "b", "ñ", ".hidden", "two words"]), min_size=1, max_size=3)


@given(files=st.dictionaries(NAMES.map("/".join), st.binary(max_size=50), max_size=5))
@settings(max_examples=25)
def test_archive__twice_is_once(tmp_path_factory, files):
    names = [name for name in files if not any(other.startswith(f"{name}/") for other in files)]
    host = Host(str(tmp_path_factory.mktemp("host")))
    archive = Archive("/app", packed(*((name, files[name]) for name in names)))
    for _ in range(2):
        archive.fix(host, look(host, archive))
        assert look(host, archive) == archive.wanted()
        assert host.list("/") == ["app"]
        assert {name: host.read(f"/app/{name}") for name in names} == {n: files[n] for n in names}


def test_archive__is_on_the_disk_before_it_has_its_name(host, monkeypatch):
    """Ten thousand files are flushed as one: sync(1)."""
    done = []
    run, rename, fsync = host.run, host.rename, os.fsync
    monkeypatch.setattr(
        host, "run", lambda argv, **more: (done.append(argv[0]), run(argv, **more))[1]
    )
    monkeypatch.setattr(host, "rename", lambda *a: (done.append("rename"), rename(*a))[1])
    monkeypatch.setattr(os, "fsync", lambda fd: (done.append("fsync"), fsync(fd))[1])
    Archive("/srv/app", packed(*((f"file{number}", b"x") for number in range(500)))).fix(
        host, None
    )
    assert done.index("sync") < done.index("rename")
    assert done.count("fsync") < 50
