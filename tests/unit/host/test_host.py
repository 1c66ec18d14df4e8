"""How root writes: whole files, private until they are done, and through nobody's link."""

from __future__ import annotations

import errno
import os
import pwd
import stat
from pathlib import Path

import pytest

from nodriza.host import program
from nodriza.host.errors import CommandFailed, HostError
from nodriza.host.files import TEMPORARY
from nodriza.host.host import Host
from nodriza.host.os_errors import told

ME = {"owner": Path.home().owner(), "group": Path.home().group()}
NOBODY = 65534


@pytest.fixture
def host(tmp_path):
    return Host(str(tmp_path))


@pytest.fixture
def _open_umask():
    """The one of a login that lets everybody read and write."""
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.usefixtures("_open_umask")
def test_file_that_is_being_written__is_for_nobody_else(host, tmp_path, monkeypatch):
    """It may hold secrets, and gets its owner and mode only when it is whole."""
    seen = []
    own = Host._own
    monkeypatch.setattr(
        Host, "_own", lambda self, fd, *rest: (seen.append(mode(fd)), own(self, fd, *rest))
    )
    host.write("/conf", "secret", mode="0644", **ME)
    assert seen == [0o600]
    assert mode(tmp_path / "conf") == 0o644


@pytest.mark.usefixtures("_open_umask")
def test_directory__is_for_nobody_else_until_told_otherwise(host, tmp_path):
    host.mkdir("/private")
    assert mode(tmp_path / "private") == 0o700


def test_file__gets_its_owner_before_its_mode(host, tmp_path, monkeypatch):
    """chown(2) clears set-id bits; and the old owner must not have the new rights."""
    done = []

    def chown(fd: int, *numbers: int) -> None:
        done.append("owner")
        os.chmod(fd, mode(fd) & 0o1777)

    fchmod = os.fchmod
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "fchown", chown)
    monkeypatch.setattr(os, "fchmod", lambda fd, m: (done.append("mode"), fchmod(fd, m)))
    (tmp_path / "tool").touch()
    host.own("/tool", "0", "0", "2755")
    host.write("/new", "x", owner="0", group="0", mode="4755")
    assert done == ["owner", "mode"] * 2
    assert mode(tmp_path / "tool") == 0o2755
    assert mode(tmp_path / "new") == 0o4755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_file__belongs_to_whom_it_should_and_keeps_its_set_id_bit(host, tmp_path):
    host.write("/tool", "x", owner=str(NOBODY), group=str(NOBODY), mode="4755")
    seen = (tmp_path / "tool").stat()
    assert (seen.st_uid, seen.st_gid, stat.S_IMODE(seen.st_mode)) == (NOBODY, NOBODY, 0o4755)


def test_own__follows_no_link(host, tmp_path):
    """An application may lay one where root expects its own file."""
    (tmp_path / "passwd").touch(mode=0o600)
    (tmp_path / "log").symlink_to("passwd")
    with pytest.raises(OSError, match="symbolic link") as refused:
        host.own("/log", *ME.values(), "0666")
    assert refused.value.errno == errno.ELOOP
    assert mode(tmp_path / "passwd") == 0o600


def test_own__waits_for_no_pipe(host, tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    host.own("/pipe", *ME.values(), "0640")
    assert mode(tmp_path / "pipe") == 0o640


def test_touch__follows_no_link(host, tmp_path):
    (tmp_path / "other").touch()
    os.utime(tmp_path / "other", (1, 1))
    (tmp_path / "reload").symlink_to("other")
    host.touch("/reload")
    assert (tmp_path / "other").stat().st_mtime == 1


def test_write__replaces_a_link_and_never_writes_through_it(host, tmp_path):
    (tmp_path / "other").write_text("precious")
    (tmp_path / "conf").symlink_to("other")
    host.write("/conf", "x", **ME)
    assert (tmp_path / "other").read_text() == "precious"
    assert (tmp_path / "conf").read_text() == "x"
    assert not (tmp_path / "conf").is_symlink()


def test_write__is_not_led_astray_by_a_link_in_the_place_of_its_temporary_file(
    host, tmp_path, monkeypatch
):
    """Laid in the instant between taking an old one away and making the new one."""
    (tmp_path / "other").write_text("precious")
    monkeypatch.setattr(
        "nodriza.host.files._unlink", lambda path: os.path.lexists(path) or os.symlink("o", path)
    )
    os.symlink("other", tmp_path / "o")
    with pytest.raises(OSError, match="exists"):
        host.write("/conf", "x", **ME)
    assert (tmp_path / "other").read_text() == "precious"


def test_reader_of_the_old_file__goes_on_reading_the_old_file(host, tmp_path):
    (tmp_path / "conf").write_text("old and whole")
    with open(tmp_path / "conf") as reader:
        host.write("/conf", "new", **ME)
        assert reader.read() == "old and whole"
    assert (tmp_path / "conf").read_text() == "new"


def test_symlink__is_never_away_while_it_is_replaced(host, tmp_path, monkeypatch):
    """A request in that instant would find no release."""
    (tmp_path / "current").symlink_to("1")
    there = []
    for name in ("symlink", "rename"):
        real = getattr(os, name)

        def watched(*args, real=real, **options):
            there.append(os.path.lexists(tmp_path / "current"))
            real(*args, **options)

        monkeypatch.setattr(os, name, watched)
    host.symlink("/current", "2", **ME)
    assert there == [True, True]
    assert os.readlink(tmp_path / "current") == "2"


def test_write_that_fails__leaves_the_old_file_and_nothing_else(host, tmp_path, monkeypatch):
    (tmp_path / "conf").write_text("old")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space") as failed:
        host.write("/conf", "new", **ME)
    assert "df -h" in told(failed.value, "/conf")
    assert os.listdir(tmp_path) == ["conf"]
    assert (tmp_path / "conf").read_text() == "old"


def test_file_of_a_user_that_is_not_there__is_not_written(host, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(HostError, match="no user nobody-here on this host"):
        host.write("/conf", "x", owner="nobody-here")
    assert os.listdir(tmp_path) == []


def test_remove__takes_a_link_and_not_what_it_points_to(host, tmp_path):
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "file").touch()
    (tmp_path / "link").symlink_to("tree")
    host.remove("/link")
    assert os.listdir(tmp_path) == ["tree"]
    assert os.listdir(tmp_path / "tree") == ["file"]


def test_what_a_killed_run_was_writing__is_written_over(host, tmp_path):
    left = tmp_path / TEMPORARY.format("conf")
    left.write_text("a part of it")
    left.chmod(0o644)
    host.write("/conf", "x", **ME)
    assert os.listdir(tmp_path) == ["conf"]


def test_program__gets_our_environment_and_nothing_of_the_login(host, monkeypatch):
    monkeypatch.setenv("LD_PRELOAD_OF_A_TEST", "/tmp/evil.so")
    said = host.run(["env"], env={"OURS": "1"}).out.splitlines()
    names = {line.partition("=")[0] for line in said}
    assert "LD_PRELOAD_OF_A_TEST" not in names
    assert {"OURS=1", "LC_ALL=C.UTF-8"} <= set(said)


def test_program__has_a_session_of_its_own(host):
    """A Ctrl-C, or a line that broke, ends us and not what we run."""
    session = host.run(["sh", "-c", "ps -o sid= -p $$ || cut -d' ' -f6 /proc/$$/stat"]).out
    assert int(session) != os.getsid(0)


def test_program_that_fails__says_what_it_said_and_how_it_was_called(host):
    with pytest.raises(CommandFailed) as failed:
        host.run(["sh", "-c", "echo the reason >&2; exit 3"])
    assert str(failed.value).startswith("sh -c echo the reason >&2; exit 3: exit 3\n")
    assert "the reason" in str(failed.value)


def test_program_that_is_not_there__is_a_failure_too(host):
    with pytest.raises(CommandFailed, match="not found"):
        host.run(["no-such-program"])
    assert host.run(["no-such-program"], check=False).exit == 127


def test_program_of_a_user_that_is_not_there__is_not_run_as_root(host, tmp_path):
    mark = tmp_path / "ran"
    assert host.run(["touch", str(mark)], user="nobody-here", check=False).exit == 127
    assert not mark.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_program_of_a_user__runs_as_that_user_with_none_of_root_s_groups(host):
    before = os.getgroups()
    os.setgroups([0, 4])
    try:
        said = host.run(["sh", "-c", "id -u; id -G"], user="nobody").out.split()
    finally:
        os.setgroups(before)
    assert said[0] == str(NOBODY)
    assert not {"0", "4"} & set(said)


def test_program_of_a_user__is_begun_with_that_user_s_ids_and_groups(host, monkeypatch):
    """For those who are not root; setpriv(1) does it."""
    begun = []

    def run(words, **_):
        begun.extend(words)
        return program.Done(0, "", "")

    monkeypatch.setattr(program, "run", run)
    host.run(["true"], user="nobody")
    entry = pwd.getpwnam("nobody")
    ids = [f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--init-groups"]
    assert begun == ["setpriv", *ids, "true"]


def test_relative_path__is_refused(host):
    with pytest.raises(HostError, match="not an absolute path"):
        host.read("etc/passwd")
