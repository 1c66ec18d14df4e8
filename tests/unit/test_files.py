"""A file that is written here is whole, survives a power cut, and is where it was meant to be."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from nodriza import files
from nodriza.errors import NodrizaError
from nodriza.files import exclusively, locked, remove, write_whole
from nodriza.lab import state
from nodriza.lab.containers import disk
from nodriza.ssh.hostkeys import pin
from nodriza.vault.rotating import Rotating
from nodriza.vault.store import Vault

STRANGER = 65534


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The calls that matter to a power cut, in order: "fsync file", "rename", "fsync folder"."""
    calls: list[str] = []
    fsync, rename = os.fsync, os.rename

    def seen(fd: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file"
        calls.append(f"fsync {kind}")
        fsync(fd)

    def renamed(path: Path, target: Path) -> Path:
        calls.append("rename")
        rename(path, target)
        return Path(target)

    monkeypatch.setattr(os, "fsync", seen)
    monkeypatch.setattr(Path, "replace", renamed)
    return calls


def _vault(folder: Path) -> None:
    Vault(folder / "x.secrets.age", folder / "key").set("redis", "long-enough")


def _known_hosts(folder: Path) -> None:
    import paramiko

    pin(folder / "known_hosts", "198.18.7.11", paramiko.RSAKey.generate(1024))


WRITERS = {
    "a file": lambda folder: write_whole(folder / "x", b"data", 0o600),
    "secrets and key": _vault,
    "known_hosts": _known_hosts,
    "rotating": lambda folder: Rotating(folder / "x.rotating").add("redis"),
    "a lab's notes": lambda folder: state.write_json(folder / "x.json", {}),
}


@pytest.mark.parametrize("what", WRITERS)
def test_written__file_then_name_then_folder_are_flushed(
    what: str, tmp_path: Path, flushed: list[str]
) -> None:
    WRITERS[what](tmp_path)
    order = "".join({"fsync file": "f", "rename": "r", "fsync folder": "d"}[it] for it in flushed)
    assert order.replace("frd", "").strip("d") == ""
    assert "frd" in order


def test_removed__is_gone_for_good(tmp_path: Path, flushed: list[str]) -> None:
    (tmp_path / "x").touch()
    remove(tmp_path / "x")
    remove(tmp_path / "x")
    assert flushed == ["fsync folder"]


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder as /tmp is."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


def linked(folder: Path, to: Path, owner: int = STRANGER) -> Path:
    to.write_text("precious")
    link = folder / "link"
    link.symlink_to(to)
    if os.geteuid():
        pytest.skip("only root can make another's link")
    os.chown(link, owner, owner, follow_symlinks=False)
    return link


def test_link_of_a_stranger__is_not_written_through(shared: Path, tmp_path: Path) -> None:
    link = linked(shared, tmp_path / "target")
    with pytest.raises(NodrizaError, match="somebody else's link"):
        write_whole(link, b"data", 0o644)
    assert (tmp_path / "target").read_text() == "precious"


@pytest.mark.parametrize("public", [True, False])
def test_link_of_our_own__stays_one(shared: Path, tmp_path: Path, public: bool) -> None:
    folder = shared if public else tmp_path
    link = linked(folder, tmp_path / "target", os.geteuid())
    write_whole(link, b"data", 0o644)
    assert link.is_symlink()
    assert (tmp_path / "target").read_text() == "data"


def test_lock__never_follows_a_link(shared: Path, tmp_path: Path) -> None:
    link = linked(shared, tmp_path / "target", os.geteuid())
    with pytest.raises(NodrizaError, match="can't be written"), locked(link):
        pass
    assert (tmp_path / "target").read_text() == "precious"


def test_lock_of_a_lab__is_where_only_root_can_put_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert state.RUN.parent == Path("/run")  # 0755, root's; /run/lock is everybody's
    monkeypatch.setattr(state, "RUN", tmp_path / "run")
    with state.one_at_a_time("shop"):
        (lock,) = (tmp_path / "run").iterdir()
        assert stat.S_IMODE(lock.stat().st_mode) == 0o600
    assert list((tmp_path / "run").iterdir()) == []


def test_lock__is_held_by_one_at_a_time_and_says_what_is_busy(tmp_path: Path) -> None:
    inside = 0
    most = 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with locked(tmp_path / "lock"):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1

    with (
        locked(tmp_path / "lock"),
        pytest.raises(NodrizaError, match="the box is being built"),
        locked(tmp_path / "lock", 0, "the box is being built"),
    ):
        pass


@pytest.mark.parametrize("what", ["missing/x", "file/x"])
def test_place_that_is_none__is_an_error_in_words(tmp_path: Path, what: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NodrizaError, match="can't be written"), exclusively(tmp_path / what):
        pass
    with pytest.raises(NodrizaError, match="can't be written"):
        write_whole(tmp_path / what, b"", 0o600)


def test_machine_of_a_lab__can_lead_no_write_out_of_its_disk(tmp_path: Path) -> None:
    (tmp_path / "upper").mkdir()
    (tmp_path / "computer").mkdir()
    (tmp_path / "upper/etc").symlink_to(tmp_path / "computer")
    with pytest.raises(NodrizaError, match="a link that somebody made on the machine"):
        disk.write_inside(tmp_path / "upper", "etc/resolv.conf", "x")
    assert list((tmp_path / "computer").iterdir()) == []


def test_writers__there_is_one_way_and_everybody_takes_it() -> None:
    """What renames, locks or makes a file by itself forgets to flush, or follows a link."""
    root = Path(files.__file__).parent
    for path in root.rglob("*.py"):
        if path.name == "files.py" or path.relative_to(root).parts[0] in ("agent", "host"):
            continue
        text = path.read_text()
        for word in ("fcntl.flock", "os.replace", "os.O_CREAT", "NamedTemporaryFile(dir"):
            allowed = {"edit.py": "os.O_CREAT"}  # in a private folder, and never renamed
            assert word not in text or allowed.get(path.name) == word, f"{path}: {word}"
