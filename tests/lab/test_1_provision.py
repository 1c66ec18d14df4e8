"""From bare Debian to a cluster: what is foretold happens, once, through one channel."""

from __future__ import annotations

import json
import time

import pytest

from tests.lab.conftest import NODES
from tests.lab.project import Project, Result


def commands_started(project: Project, node: str, since: float, until: float) -> int:
    """The sessions with a command that sshd has started in that time."""
    lines = project.on(node, f"journalctl -t sshd -t sshd-session -o json --since=@{int(since)}")
    entries = [json.loads(line) for line in lines.splitlines()]
    return sum(
        "Starting session: command" in str(entry["MESSAGE"])
        and since <= int(entry["__REALTIME_TIMESTAMP"]) / 1e6 <= until
        for entry in entries
    )


@pytest.mark.parametrize("node", NODES)
def test_check_of_a_bare_host__predicts_what_provision_then_does(
    node: str, predicted: Result, first: Result
) -> None:
    predicted.well()
    first.well()
    assert len(predicted.statuses(node)) > 20
    assert first.statuses(node) == predicted.statuses(node)


@pytest.mark.parametrize("node", NODES)
def test_check_of_a_bare_host__changes_nothing(
    node: str, predicted: Result, before_and_after: dict[str, list[str]]
) -> None:
    before, after = before_and_after[node]
    assert after == before


def test_second_provision__changes_nothing_and_says_so(provisioned: Project) -> None:
    again = provisioned.fab("provision", "--json").well()
    provisioned.times["provision, nothing to change"] = again.seconds
    assert again.changed() == {}
    assert "nothing to change on 4 nodes" in provisioned.fab("provision").well().stdout
    assert provisioned.fab("provision", "--check", "--json").well().changed() == {}


def test_damaged_agent_on_a_host__is_asked_for_again(provisioned: Project) -> None:
    """It stays there compiled; what a power cut may leave of it must not stop a run."""
    size = "stat --format=%s /var/lib/nodriza/agent/*"
    before = provisioned.on("server-2", size)
    provisioned.on("server-2", "truncate --size=1000 /var/lib/nodriza/agent/*")
    assert provisioned.fab("provision:server-2", "--json").well().changed() == {}
    assert provisioned.on("server-2", size) == before


def test_provision__opens_one_session_on_each_host(provisioned: Project) -> None:
    began = time.time()
    provisioned.fab("provision").well()
    ended = time.time()
    found = {node: commands_started(provisioned, node, began, ended) for node in NODES}
    assert found == dict.fromkeys(NODES, 1)


def test_target__is_provisioned_and_nothing_else(provisioned: Project) -> None:
    for words in (["provision:server-n"], ["provision", "--target", "server-n"]):
        result = provisioned.fab(*words, "--json").well()
        assert list(result.recap["nodes"]) == ["server-2", "server-3"]
