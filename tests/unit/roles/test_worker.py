"""Which release a worker of uwsgi begins with, and what comes after one that could not."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.roles.made import functions


class Ended(BaseException):
    """In the place of the worker's end."""


@pytest.fixture
def worker(three_node, tmp_path, monkeypatch) -> dict[str, Any]:
    """Of a node on which "old" works and "new" is current. Its application is a module."""
    names = functions(three_node, "server-2", "/etc/uwsgi/videoteca_release.py")
    for name in ("GOOD", "MISSED", "TRYING"):
        names[name] = str(tmp_path / name)
    for release in ("old", "new"):
        (tmp_path / release).mkdir()
    (tmp_path / "current").symlink_to("new")
    (tmp_path / "GOOD").write_text(str(tmp_path / "old"))
    names |= {"CURRENT": str(tmp_path / "current"), "WSGI": "site_of_worker"}
    names["is_alive"] = lambda process: False  # as for the worker that comes next
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "site_of_worker", raising=False)

    def end(status: int) -> None:
        raise Ended(status)

    monkeypatch.setattr("os._exit", end)
    before = signal.getsignal(signal.SIGALRM)
    yield names
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
    monkeypatch.delitem(sys.modules, "site_of_worker", raising=False)


def marks(tmp_path: Path) -> list[Path]:
    return list(tmp_path.glob("TRYING*"))


def is_site(tmp_path: Path, text: str) -> None:
    (tmp_path / "site_of_worker.py").write_text(text)


def test_new_release__is_imported_once(worker, tmp_path):
    is_site(tmp_path, "application = 'it'")
    assert worker["choose"]() == (str(tmp_path / "new"), "")
    assert worker["imported"](str(tmp_path / "new")) == "it"
    assert not marks(tmp_path)
    assert signal.alarm(0) == 0, "nothing ends it later on"


@pytest.mark.parametrize("how", ["raise ImportError('x')", "import sys; sys.exit(3)"])
def test_release_that_can_not_be_imported__ends_its_worker_and_the_next_has_the_one_before(
    worker, tmp_path, how
):
    is_site(tmp_path, how)
    with pytest.raises(Ended):
        worker["imported"](str(tmp_path / "new"))
    assert signal.alarm(0) > 0
    release, reason = worker["choose"]()
    assert release == str(tmp_path / "old")
    assert reason.startswith("release new does not import")
    assert worker["choose"]() == (str(tmp_path / "new"), ""), "tried again by whoever comes then"


def test_worker_that_was_ended_while_it_imported__counts_as_one_that_could_not(worker, tmp_path):
    """By a fault of a library, or by the clock."""
    is_site(tmp_path, "import os, pathlib; seen = os.listdir(pathlib.Path(__file__).parent)\n")
    with pytest.raises(Ended):  # it has no application
        worker["imported"](str(tmp_path / "new"))
    assert f"TRYING.{os.getpid()}" in sys.modules["site_of_worker"].seen, "before it imports"


def test_release_before__is_imported_without_a_mark(worker, tmp_path):
    """There is nothing to go back to: its error is uWSGI's to tell."""
    is_site(tmp_path, "raise ImportError('gone')")
    with pytest.raises(ImportError):
        worker["imported"](str(tmp_path / "old"))
    assert not marks(tmp_path)


def test_mark_of_another_release__is_none(worker, tmp_path):
    (tmp_path / "TRYING.1").write_text(str(tmp_path / "older"))
    assert worker["choose"]() == (str(tmp_path / "new"), "")


def test_worker_that_is_still_importing__is_not_one_that_could_not(three_node, worker, tmp_path):
    """At a start all of them do, side by side."""
    is_alive = functions(three_node, "server-2", "/etc/uwsgi/videoteca_release.py")["is_alive"]
    worker["is_alive"] = is_alive
    (tmp_path / f"TRYING.{os.getpid()}").write_text(str(tmp_path / "new"))
    assert worker["choose"]() == (str(tmp_path / "new"), "")
    (tmp_path / f"TRYING.{2**22 + 1}").write_text(str(tmp_path / "new"))  # above any process id
    assert worker["choose"]()[0] == str(tmp_path / "old")
    assert [mark.name for mark in marks(tmp_path)] == [f"TRYING.{os.getpid()}"]
