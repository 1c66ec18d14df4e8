"""What was read is what travels: each file as it was at one moment, or the deploy ends."""

from __future__ import annotations

import os
import subprocess

import pytest

from nodriza.errors import SourceError
from nodriza.source import spool
from nodriza.source.spool import Spool
from nodriza.source.tree import read_source
from tests.memory import Peak


def text(content):
    return b"".join(content.pieces())


def test_spool__gives_back_what_it_was_given(tmp_path, monkeypatch):
    monkeypatch.setattr(spool, "PIECE", 10)
    (tmp_path / "a").write_bytes(b"x" * 35)
    (tmp_path / "link").symlink_to("a")
    here = Spool()
    first, empty = here.add([b"one", b"two"]), here.add([])
    file, _ = here.add_file(tmp_path / "a", "a")
    link, _ = here.add_file(tmp_path / "link", "link")
    assert [text(each) for each in (first, empty, file, link)] == [b"onetwo", b"", b"x" * 35, b"a"]
    assert [len(piece) for piece in file.pieces()] == [10, 10, 10, 5]


def test_spool__lies_where_large_files_may_and_has_no_name(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    here = Spool()
    here.add([b"secret"])
    assert os.listdir(tmp_path) == []
    assert os.readlink(f"/proc/self/fd/{here._fd}").startswith(str(tmp_path))


def test_folder_for_it_that_is_not_there__is_told(monkeypatch):
    monkeypatch.setenv("TMPDIR", "/nowhere")
    with pytest.raises(SourceError, match="No such file") as error:
        Spool()
    assert "TMPDIR" in error.value.do


def test_source_without_room_here__is_told(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    here = Spool()
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(SourceError, match="No space left on device, after 0 MB") as error:
        here.add([b"x"])
    assert error.value.kept == "nothing was sent"
    assert error.value.where == "/var/tmp"


CHANGES = {
    "grows": lambda path: path.write_bytes(path.read_bytes() + b"more"),
    "shrinks": lambda path: path.write_bytes(b""),
    "is written anew": lambda path: path.write_bytes(b"y" * 100),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_file_that_changes_while_it_is_read__ends_the_deploy(tmp_path, monkeypatch, change):
    path = tmp_path / "data.csv"
    path.write_bytes(b"x" * 100)
    os.utime(path, (1, 1))
    read = os.read

    def meanwhile(fd, size):
        piece = read(fd, 50)
        change(path)
        return piece

    monkeypatch.setattr(os, "read", meanwhile)
    with pytest.raises(SourceError, match=r"data\.csv changed while it was read") as error:
        read_source(tmp_path)
    assert error.value.kept == "nothing was sent"
    assert "--ref" in error.value.do


@pytest.mark.parametrize("becomes", ["gone", "a folder", "unreadable"])
def test_file_that_goes_away_before_it_is_read__ends_the_deploy(tmp_path, monkeypatch, becomes):
    (tmp_path / "a").write_text("x")
    add_file = Spool.add_file

    def late(self, path, name):
        path.unlink()
        if becomes == "a folder":
            path.mkdir()
        elif becomes == "unreadable":
            path.symlink_to("x")
            path = path / "below"
        return add_file(self, path, name)

    monkeypatch.setattr(Spool, "add_file", late)
    with pytest.raises(SourceError, match="a (can't be read|is no file)") as error:
        read_source(tmp_path)
    assert error.value.kept == "nothing was sent"


@pytest.mark.parametrize("ref", ["", "HEAD"])
def test_large_source__takes_no_memory(tmp_path, ref):
    """Not even one file at a time."""
    git = ["git", "-C", tmp_path, "-c", "user.name=x", "-c", "user.email=x"]
    subprocess.run([*git, "init", "-q"], check=True)
    with (tmp_path / "film.mp4").open("wb") as file:
        file.truncate(200 * 1024 * 1024)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "x"], check=True, stdout=subprocess.DEVNULL)

    peak = Peak()
    source = read_source(tmp_path, ref)
    assert source.size == 200 * 1024 * 1024
    assert sum(map(len, source.pieces([(0, 1)]))) == source.size + len(source.manifest)
    assert peak.grown < 20 * 1024 * 1024
