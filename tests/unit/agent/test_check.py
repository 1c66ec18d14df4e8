"""A check: what it foretells, and that it changes nothing."""

from __future__ import annotations

import os

from nodriza.host.errors import HostError
from nodriza.resources import (
    File,
    Link,
    Package,
    Venv,
)
from tests.unit.agent.one_run import Run, conf


def test_check__predicts_what_apply_does_on_a_bare_host(tmp_path):
    predicted = Run(tmp_path, conf("a"), check=True)
    assert os.listdir(tmp_path) == []
    assert predicted.statuses() == Run(tmp_path, conf("a")).statuses()


def test_check__says_what_the_run_would_refuse_and_leaves_the_rest(tmp_path, monkeypatch):
    def full(self, host):
        raise HostError(f"no room for {self.path}")

    monkeypatch.setattr(Link, "vet", full)
    predicted = Run(tmp_path, conf("a"), check=True)
    assert os.listdir(tmp_path) == []
    assert predicted.statuses() == Run(tmp_path, conf("a")).statuses()
    assert predicted.statuses()["link:/etc/web/enabled"] == "failed"


def test_check__looks_anew_at_what_depends_on_an_answer_that_it_has_got(tmp_path, monkeypatch):
    """Whether a migration is pending is known once the release was asked."""
    monkeypatch.setattr(Venv, "look", lambda host, many: [{"installed": host.tried == {"b"}}])
    first = Link("/b", "x")
    monkeypatch.setattr(Link, "foretell", lambda _, host: host.tried.add("b"))
    run = Run(tmp_path, [first, Venv("/venv")], check=True)
    assert run.statuses() == {"link:/b": "changed", "venv:/venv": "ok"}


def test_check__predicts_a_reload(tmp_path):
    Run(tmp_path, conf("a"))
    predicted = Run(tmp_path, conf("b"), check=True)
    applied = Run(tmp_path, conf("b"), "run-2")
    assert predicted.statuses() == applied.statuses()
    words = [e["words"] for e in predicted.events if e.get("id") == "service:web"]
    assert words == ["reload"]


def test_check__installs_nothing(tmp_path, monkeypatch):
    def install(*_):
        raise AssertionError("it was told to check")

    monkeypatch.setattr(Package, "look", lambda _, many: [None for _ in many])
    monkeypatch.setattr(Package, "fix_together", install)
    run = Run(tmp_path, [Package("nginx"), *conf("a")], check=True)
    assert run.statuses()["package:nginx"] == "changed"
    assert os.listdir(tmp_path) == []


def test_diff_that_can_t_be_made__does_not_end_the_run(tmp_path, monkeypatch):
    def broken(*_):
        raise OSError("a share that is away")

    monkeypatch.setattr(File, "diff", broken)
    assert Run(tmp_path, conf("a"), diff=True).counts["failed"] == 0
