"""Which source a drill deploys: of the commit that served, where it is here."""

from __future__ import annotations

import subprocess

import pytest

from nodriza.drill.copy import Copied
from nodriza.drill.run import DrillRun
from nodriza.source import git


def commit(folder):
    """A repository with one commit; its digits."""
    words = ["git", "-c", "user.name=eva", "-c", "user.email=eva@example.org", "-C", str(folder)]
    for more in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run([*words, *more], check=True)
    head = [*words, "rev-parse", "HEAD"]
    return subprocess.run(head, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def chosen(three_node, tmp_path):
    """The words for fab deploy, for a release of a commit; and what a person is told."""
    said = []
    (tmp_path / "manage.py").write_text("")
    app = three_node.app.model_copy(update={"source_path": tmp_path})
    drill = DrillRun.__new__(DrillRun)
    drill.cluster, drill.say = three_node.model_copy(update={"app": app}), said.append

    def words(served):
        drill.copied = Copied(served=served)
        return drill._ref()

    return words, said


def test_commit_that_served__is_deployed(chosen, tmp_path):
    words, said = chosen
    served = commit(tmp_path)
    assert words({"commit": served}) == ["--ref", served]
    assert served[:10] in said[0]


@pytest.mark.parametrize("served", [{"commit": "c0ffee" * 6}, {}])
def test_source_that_is_not_known__is_told_and_taken_as_it_is(chosen, tmp_path, served):
    words, said = chosen
    commit(tmp_path)
    assert words(served) == []
    assert "is deployed as it is" in said[0]
    assert str(tmp_path) in said[0]


def test_folder_without_git__has_no_commit(tmp_path):
    assert not git.has(tmp_path, "c0ffee")
