"""What is said of a node whose run ended before its plan did."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from nodriza.errors import HostRefused, Interrupted
from nodriza.report.result import NodeResult
from nodriza.rollout.node import _cut_short

SKIPPED = [{"status": "skipped", "words": "its turn did not come"}]


def cut_short(*, ctrl_c: bool = False, **fields: Any) -> Any:
    stop = threading.Event()
    if ctrl_c:
        stop.set()
    run: Any = SimpleNamespace(check=False, stop=stop, turns=SimpleNamespace(failed=["server-1"]))
    return _cut_short(NodeResult("server-2", skipped=1, **fields), run)


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({}, "this node was not touched"),
        ({"resources": SKIPPED}, "nothing was changed on it"),
        (
            {"resources": SKIPPED, "serves": True},
            "nothing was changed on it, and it goes on serving",
        ),
        (
            {"resources": SKIPPED, "changed": 3},
            "what was changed on it needs no other node: packages, and more where it is new",
        ),
        (
            {"resources": SKIPPED, "changed": 3, "serves": True},
            "what was changed on it needs no other node: packages, and more where it is new,"
            " and it goes on serving",
        ),
    ],
)
def test_node_whose_turn_never_came__is_told_what_is_kept_and_whom_to_mend(fields, kept):
    error = cut_short(denied=True, **fields)
    assert isinstance(error, HostRefused)
    assert error.what == "left alone, because server-1 failed"
    assert error.kept == kept
    assert error.do == "do what the message of server-1 says, then run the same command again"


def test_node_whose_turn_had_not_come_before_ctrl_c__is_told_so():
    error = cut_short(ctrl_c=True, denied=True)
    assert isinstance(error, Interrupted)
    assert error.what == "its turn had not come"


STOPPED = [{"status": "skipped", "words": "the run was interrupted"}]


def test_host_that_stopped_by_itself__says_why():
    error = cut_short(resources=STOPPED, changed=1)
    assert isinstance(error, HostRefused)
    assert error.what == "stopped between two resources: the run was interrupted"
    assert error.kept == "what is due on the host is written down there"
    assert error.do == "run the same command again: it continues where this one stopped"


def test_host_that_stopped_before_it_changed_anything__says_nothing_of_going_on():
    error = cut_short(resources=STOPPED)
    assert error.kept == "nothing was changed on it"
    assert error.do == "run the same command again"
