"""Root follows a link on its way only when nobody but root could have made it."""

from __future__ import annotations

import errno
import os

import pytest

from nodriza.host.errors import HostError
from nodriza.host.host import Host
from nodriza.host.path import Trap, is_on_network, is_shared, reached
from nodriza.resources import Directory, Upload

root_only = os.geteuid() == 0
NOBODY = 65534


@pytest.fixture
def tree(tmp_path):
    """``/open`` belongs to somebody else, ``/secret`` is root's."""
    (tmp_path / "open").mkdir()
    (tmp_path / "secret").mkdir(mode=0o700)
    if root_only:
        os.chown(tmp_path / "open", NOBODY, NOBODY)
    else:
        (tmp_path / "open").chmod(0o777)
    return tmp_path


def test_link_of_somebody_else__is_not_followed(tree):
    (tree / "open" / "conf").symlink_to("/secret")
    if root_only:
        os.chown(tree / "open" / "conf", NOBODY, NOBODY, follow_symlinks=False)
    with pytest.raises(Trap, match="/open/conf is a link that"):
        Host(str(tree)).write("/open/conf/passwd", "x")
    assert os.listdir(tree / "secret") == []


def test_link_in_a_folder_that_others_write_to__is_not_followed(tree):
    (tree / "open" / "conf").symlink_to("/secret")
    for act in ("mkdir", "remove", "touch"):
        with pytest.raises(Trap):
            getattr(Host(str(tree)), act)("/open/conf/x")


def test_root_s_own_link__is_followed_below_the_root(tree):
    (tree / "run").mkdir()
    (tree / "var").mkdir()
    (tree / "var" / "run").symlink_to("/run")
    (tree / "lib").symlink_to("var/../run")
    Host(str(tree)).write("/var/run/a", "1", owner=str(os.geteuid()), group=str(os.getegid()))
    Host(str(tree)).write("/lib/b", "2", owner=str(os.geteuid()), group=str(os.getegid()))
    assert sorted(os.listdir(tree / "run")) == ["a", "b"]


def test_circle_of_links__ends(tree):
    (tree / "a").symlink_to("b")
    (tree / "b").symlink_to("a")
    with pytest.raises(Trap, match="too many links"), reached(str(tree), "/a/x"):
        pass


def test_folder_that_is_moved_away_meanwhile__keeps_what_is_written(tree):
    """What was checked is what is written to."""
    with reached(str(tree), "/secret/file") as real:
        (tree / "secret").rename(tree / "moved")
        (tree / "secret").symlink_to("/open")
        with open(real, "w") as file:
            file.write("x")
    assert os.listdir(tree / "moved") == ["file"]
    assert os.listdir(tree / "open") == []


def test_reached__leaves_no_file_open(tree):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with reached(str(tree), "/secret/x"):
            pass
        with pytest.raises(FileNotFoundError), reached(str(tree), "/secret/none/x"):
            pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_link_of_somebody_else_in_our_own_folder__is_not_followed(tree, monkeypatch):
    """It was ours once, and has been given away; or its folder has been open before."""
    (tree / "secret" / "conf").symlink_to("/open")
    lstat = os.lstat

    def somebody_s(path, **options):
        seen = lstat(path, **options)
        if path != "conf":
            return seen
        return os.stat_result([NOBODY if at == 4 else field for at, field in enumerate(seen)])

    monkeypatch.setattr("nodriza.host.path.os.lstat", somebody_s)
    with (
        pytest.raises(Trap, match="/secret/conf is a link that"),
        reached(str(tree), "/secret/conf/x"),
    ):
        pass


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o1777])
def test_our_own_link_in_a_folder_that_others_write_to__is_not_followed(tree, mode):
    (tree / "secret" / "conf").symlink_to("/open")
    (tree / "secret").chmod(mode)
    with pytest.raises(Trap), reached(str(tree), "/secret/conf/x"):
        pass


def test_link_that_comes_while_we_look__is_not_followed(tree, monkeypatch):
    (tree / "open" / "conf").symlink_to("/secret")
    monkeypatch.setattr("nodriza.host.path._is_link", lambda *_: False)
    with pytest.raises(OSError, match="conf") as refused, reached(str(tree), "/open/conf/x"):
        pass
    assert refused.value.errno in (errno.ELOOP, errno.ENOTDIR)


@pytest.fixture
def shared(tree, monkeypatch):
    """The same, on a file system that other machines write to."""
    monkeypatch.setattr("nodriza.host.path.LOCAL", frozenset())
    monkeypatch.setattr("nodriza.host.path.ROOT", "/nowhere")
    return tree


@pytest.mark.parametrize("act", ["write", "mkdir", "mkdirs", "own", "touch", "remove", "symlink"])
def test_link_on_a_share__is_not_followed_though_root_s_own(shared, act):
    """Root of a child makes /srv/APP/releases a link to a folder of the central's."""
    (shared / "secret" / "releases").symlink_to("../open")
    (shared / "open" / "x").write_text("as it was")
    more = {
        "write": ["x"],
        "own": [str(os.geteuid()), str(os.getegid()), "0777"],
        "symlink": ["/elsewhere"],
    }
    path = "/secret/releases/new/x" if act == "mkdirs" else "/secret/releases/x"
    before = os.stat(shared / "open" / "x")
    with pytest.raises(Trap, match="/secret/releases is a link on a share that other nodes"):
        getattr(Host(str(shared)), act)(path, *more.get(act, []))
    after = os.stat(shared / "open" / "x")
    assert os.listdir(shared / "open") == ["x"]
    assert (after.st_ino, after.st_mode, after.st_mtime_ns) == (
        before.st_ino,
        before.st_mode,
        before.st_mtime_ns,
    )


def test_release_on_a_share_whose_folder_is_a_link__is_refused_whole(shared):
    (shared / "secret" / "releases").symlink_to("../open")
    item = Upload("/secret/releases/new", "0" * 64)
    with pytest.raises(Trap):
        item.fix(Host(str(shared)), None)
    assert os.listdir(shared / "open") == []


def test_directory_on_a_share_that_became_a_link__is_refused_in_words(shared):
    (shared / "secret" / "media").symlink_to("../open")
    item, host = Directory("/secret/media"), Host(str(shared))
    before = os.stat(shared / "open")
    with pytest.raises(HostError, match="/secret/media is a link, a directory was to go there"):
        item.fix(host, Directory.look(host, [item])[0])
    assert os.stat(shared / "open") == before


def test_mount_that_is_not_listed__is_taken_for_a_share(tree, monkeypatch):
    """Detached meanwhile, or out of the reach of a chroot."""
    monkeypatch.setattr("nodriza.host.path.MOUNTS", os.devnull)
    (tree / "secret" / "conf").symlink_to("/open")
    with pytest.raises(Trap, match="on a share"), reached(str(tree), "/secret/conf/x"):
        pass


@pytest.mark.parametrize("where", ["program", "cwd", "link to the program"])
def test_root__runs_nothing_that_lies_on_a_share(shared, where):
    program = shared / "open" / "python"
    program.write_text("#!/bin/sh\ntouch ran\n")
    program.chmod(0o755)
    argv, cwd = [str(program)], None
    if where == "cwd":
        argv, cwd = ["true"], str(shared / "open")
    elif where == "link to the program":
        (shared / "secret" / "python").symlink_to(program)
        argv = [str(shared / "secret" / "python")]
    with pytest.raises(HostError, match="on a share that other nodes write to: not run by root"):
        Host().run(argv, cwd=cwd)


@pytest.mark.skipif(not root_only, reason="as another user")
def test_somebody_else__may_run_what_lies_on_a_share(shared):
    """The application's own user has no rights there that matter."""
    assert Host().run(["true"], user="nobody", cwd="/usr").exit == 0


@pytest.mark.parametrize(
    "kind", [
        "nfs", "nfs4", "cifs", "smb3", "ceph", "fuse.ceph", "fuse.glusterfs", "fuse.sshfs",
        "fuse.s3fs", "fuse.rclone", "fuse", "lustre", "beegfs", "gpfs", "afs", "9p",
        "virtiofs", "vboxsf", "fuse.vmhgfs-fuse", "ocfs2", "gfs2", "orangefs", "coda",
        "davfs", "fuse.of-tomorrow", "of-tomorrow",
    ],
)  # fmt: skip
def test_file_system_that_somebody_else_may_write_to__is_shared(kind):
    assert is_shared(kind)


@pytest.mark.parametrize(
    "kind", [
        "ext4", "xfs", "btrfs", "zfs", "f2fs", "tmpfs", "overlay", "vfat", "proc", "devtmpfs",
    ],
)  # fmt: skip
def test_file_system_of_this_kernel__is_the_host_s_own(kind):
    assert not is_shared(kind)


@pytest.mark.parametrize(
    ("at", "kind", "shared"),
    [("/", "virtiofs", False), ("/", "nfs4", False), ("/srv", "virtiofs", True),
     ("/srv", "fuse.of-tomorrow", True), ("/srv", "ext4", False)],
)  # fmt: skip
def test_root_file_system__is_the_host_s_own_whatever_it_lies_on(
    tree, monkeypatch, at, kind, shared
):
    """A virtual machine's may be virtiofs, and every program of it is there."""
    fd = os.open(tree, os.O_RDONLY)
    with open(f"/proc/self/fdinfo/{fd}") as file:
        number = next(line.split()[1] for line in file if line.startswith("mnt_id:"))
    mounts = tree / "mountinfo"
    mounts.write_text(f"{number} 1 0:42 / {at} rw,relatime shared:1 - {kind} source rw\n")
    monkeypatch.setattr("nodriza.host.path.MOUNTS", str(mounts))
    assert is_on_network(fd) is shared
    os.close(fd)
