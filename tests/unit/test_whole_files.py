"""Files of this computer that two commands may want to write at once."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import threading
import time
from pathlib import Path

import pytest

from nodriza.errors import NodrizaError
from nodriza.files import exclusively, write_whole
from tests.unit.agent.disk import Disk


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_text("old")
    return tmp_path / "file"


def test_reader_of_the_old_file__goes_on_reading_the_old_file(file):
    with file.open() as reader:
        write_whole(file, b"new", 0o644)
        assert reader.read() == "old"
    assert file.read_text() == "new"


@pytest.mark.parametrize("names_first", [False, True], ids=["late", "names first"])
def test_file_that_was_written__is_there_after_a_power_cut(file, monkeypatch, names_first):
    """The only copy of every secret, say."""
    disk = Disk(file.parent)
    monkeypatch.setattr(os, "fsync", disk.fsync)
    write_whole(file, b"new", 0o600)
    disk.cut(names_first=names_first)
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_file__has_its_mode_whatever_the_umask_and_the_old_one_s(file):
    file.chmod(0o666)
    before = os.umask(0)
    try:
        write_whole(file, b"new", 0o600)
        write_whole(file.with_name("made"), b"new", 0o640)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.with_name("made").stat().st_mode) == 0o640


def test_link__stays_one(file):
    """A vault may lie in another repository."""
    link = file.with_name("link")
    link.symlink_to("file")
    write_whole(link, b"new", 0o600)
    assert link.is_symlink()
    assert file.read_text() == "new"


def test_write_that_fails__leaves_the_old_file_and_nothing_else(file, monkeypatch):
    def full(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NodrizaError, match="full"):
        write_whole(file, b"new", 0o600)
    assert os.listdir(file.parent) == ["file"]
    assert file.read_text() == "old"


def test_two_commands__are_never_in_it_at_once(file):
    inside, most = [], []

    def command() -> None:
        with exclusively(file):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()

    threads = [threading.Thread(target=command) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8
    assert os.listdir(file.parent) == ["file"], "no lock file is left"


def test_command_that_does_not_end__is_not_waited_for_for_ever(file):
    with (
        exclusively(file),
        pytest.raises(NodrizaError, match="another command is writing here") as failed,
        exclusively(file, patience=0.1),
    ):
        pass
    assert failed.value.kept == "nothing was written"


def test_command_that_was_killed__holds_nothing(file):
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        with exclusively(file):
            os.write(told, b".")
            signal.pause()
    os.read(ready, 1)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with exclusively(file, patience=1):
        pass


def test_lock_whose_file_is_gone__is_none(file, monkeypatch):
    """Somebody had it open before the one at work took it away: they are two then."""
    lock = file.with_name(f".{file.name}.lock")
    flock, taken = fcntl.flock, []

    def slow(fd: int, how: int) -> None:
        if not taken:
            taken.append(fd)
            lock.unlink()
            lock.touch()
        flock(fd, how)

    monkeypatch.setattr(fcntl, "flock", slow)
    with exclusively(file, patience=1):
        fd = os.open(lock, os.O_RDWR)
        with pytest.raises(BlockingIOError):
            flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(fd)
