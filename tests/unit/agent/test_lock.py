"""Who holds a host, and what only root may see."""

from __future__ import annotations

import json
import os
import signal

import pytest

from nodriza.agent.journal import Busy, Journal
from tests.unit.agent.one_run import READS, Run, conf
from tests.unit.agent.pretend import PretendHost


@pytest.fixture
def _at_once():
    """What waits where it should not is ended."""

    def waits(*_):
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, waits)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("_at_once")
def test_lock__second_run_is_told_who_holds_it(tmp_path):
    host = PretendHost(tmp_path, READS)
    first, second = Journal(host, "run-1"), Journal(host, "run-2")
    first.lock({"who": "ana", "from": "laptop", "since": "03:00"})
    with pytest.raises(Busy) as busy:
        second.lock({"who": "eva"})
    assert busy.value.holder == {"who": "ana", "from": "laptop", "since": "03:00"}


@pytest.mark.usefixtures("_at_once")
def test_lock__goes_with_its_process_and_no_sooner(tmp_path):
    """A run that was killed holds nothing; one that is at work is not to be passed by."""
    host = PretendHost(tmp_path, READS)
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        Journal(host, "run-1").lock({"who": "ana", "from": "a laptop with a long name"})
        os.write(told, b".")
        signal.pause()
    os.read(ready, 1)
    with pytest.raises(Busy):
        Journal(host, "run-2").lock({"who": "eva"})
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    Journal(host, "run-3").lock({"who": "eva"})
    assert json.loads((tmp_path / "var/lib/nodriza/lock").read_text()) == {"who": "eva"}


def test_lock__is_not_taken_through_a_link(tmp_path):
    (tmp_path / "var/lib/nodriza").mkdir(parents=True)
    (tmp_path / "precious").write_text("x")
    (tmp_path / "var/lib/nodriza/lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic link"):
        Journal(PretendHost(tmp_path, READS), "run-1").lock({"who": "ana"})
    assert (tmp_path / "precious").read_text() == "x"


def test_journal__is_for_root_only(tmp_path):
    """It may hold what files with secrets held before."""
    before = os.umask(0)
    try:
        Run(tmp_path, conf("a"))
        Run(tmp_path, conf("b"), "run-2")
        Journal(PretendHost(tmp_path, READS), "run-3").owe("x", "run", "/etc/web/web.conf", "")
    finally:
        os.umask(before)
    home = tmp_path / "var/lib/nodriza"
    for path in (home, *home.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


def test_reload_after_a_restart_that_is_owed__stays_a_restart(tmp_path):
    journal = Journal(PretendHost(tmp_path, READS), "run-1")
    journal.owe("service:web", "restart", None, "03:00")
    journal.owe("service:web", "reload", None, "04:00")
    assert journal.owed("service:web")["action"] == "restart"
