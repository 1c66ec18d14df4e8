"""Events with anything in the place of anything: one node's failure, in every command.

Each command that reads hosts is asked, and its output is read as a terminal would. The others'
results all stand.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from nodriza.change.drain import out_of_rotation
from nodriza.change.rollback import later_runs, not_undone
from nodriza.inventory import Cluster
from nodriza.plan.plan import plan_all
from nodriza.release import record as releases
from nodriza.report import make_report
from nodriza.rollout.run import Run
from nodriza.rollout.waves import roll_out
from nodriza.watch import drift, history, status
from nodriza.watch.health import look
from tests.unit.hostile import liar
from tests.unit.hostile.conftest import HONEST, LIAR, shown
from tests.unit.hostile.liar import (
    record,
    spoken,
)
from tests.unit.hostile.odd import EXTRA, FEW, TEXTS, VALUES


def ask_status(cluster: Cluster) -> None:
    results = look(cluster, cluster.nodes)
    for width in (60, 160):
        console = Console(width=width, record=True, file=io.StringIO())
        console.print(status.screen(cluster, results, width))
        screen = shown(console.export_text())
        for node in HONEST:
            assert node in screen
    said = json.loads(status.as_json(results))
    assert all(said[node]["error"] is None for node in HONEST)
    for result in results.values():
        out_of_rotation(result)


def ask_history(cluster: Cluster) -> None:
    found = history.read(cluster, cluster.nodes)
    entry = found.find("0a1b2c")
    assert set(HONEST) <= set(entry.nodes)
    for line in [*history.table(found), *history.story(entry), *not_undone(entry)]:
        assert len(shown(line).splitlines()) <= 1
    for entry in found.entries:
        list(history.story(entry))
        later_runs(found, entry)
    json.dumps([entry.nodes for entry in found.entries])
    assert all(shown(str(error)) for error in found.errors.values())


def ask_drift(cluster: Cluster) -> None:
    vault: Any = SimpleNamespace(ensure=lambda names, keep: dict.fromkeys(names, "x" * 20))
    found = drift.look(cluster, cluster.nodes, vault)
    assert [each.node for each in found if each.clean] >= list(HONEST)
    lines = list(drift.words(found, "fab"))
    assert all(len(shown(line).splitlines()) <= 1 for line in lines)
    # What a host says stands behind its own name, or behind blanks.
    assert all(line.startswith((LIAR, " ")) or re.match(r"[34] of 4", line) for line in lines)
    drift.as_json(found)
    drift.outcomes(found)


def ask_releases(cluster: Cluster) -> None:
    found = releases.read(cluster)  # of the central node, which is honest
    assert found.current == "abc"


def change(kind: str) -> Callable[[Cluster], None]:
    def run(cluster: Cluster) -> None:
        stream = io.StringIO()
        report = make_report(kind, diff=True, stream=stream)  # type: ignore[arg-type]
        plans = plan_all(cluster, cluster.nodes)
        secrets = {name: "x" * 20 for plan in plans for name in plan.secrets}
        results = roll_out(Run(cluster, report, secrets, "provision", check=True), plans)
        assert set(results) == {node.name for node in cluster.nodes}
        assert not any(results[node].bad for node in HONEST)
        said = stream.getvalue()
        if kind == "json":
            lines = [json.loads(line) for line in said.splitlines()]
            assert lines[-1]["event"] == "recap"
        else:
            begins = (*HONEST, LIAR, "node", "slowest", "FAILED", "nothing", " ", "~", "✗", "!")
            for line in filter(None, shown(said).splitlines()):
                assert line.startswith((*begins, *"0123456789"))
                assert (
                    not line.startswith(HONEST)
                    or line.split()[1] in ("done", "107")
                    or (re.fullmatch(r"\S+ +\d+ +0 +0 +0 +[\d.]+ s", line))
                )

    return run


COMMANDS = [ask_status, ask_history, ask_drift, change("plain"), change("live"), change("json")]
NAMES = ["status", "history", "drift", "plain", "live", "json"]


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value."""
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*path, key))


SOMEWHERE = st.floats(0, 1, exclude_max=True)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["value", "drop", "twice", "extra", "key"]),
        SOMEWHERE,
        SOMEWHERE,
        VALUES,
        TEXTS,
        EXTRA,
    ),
    min_size=1,
    max_size=4,
)


def changed(said: list[Any], changes: list[Any]) -> list[Any]:
    """What an honest host says, with a few things in another place, missing, or odd.

    A host speaks in a thread of its own, so all is drawn before it does.
    """
    said = json.loads(json.dumps(said))
    for how, where, to, value, text, extra in changes:
        paths = sorted(places(said), key=repr)
        if not paths:
            break
        *path, last = paths[int(where * len(paths))]
        holder: Any = said
        for key in path:
            holder = holder[key]
        if how == "value":
            holder[last] = value
        elif how == "drop":
            del holder[last]
        elif how == "key" and isinstance(holder, dict):
            holder[text] = holder.pop(last)
        elif how == "twice":
            said.insert(int(to * len(said)), said[int(where * len(said))])
        else:
            said.insert(int(to * len(said)), extra)
    return said


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
@given(changes=CHANGES)
@FEW
def test_odd_events__are_one_nodes_failure_in_every_command(
    cluster: Cluster,
    lying: Callable[..., None],
    command: Callable[[Cluster], None],
    changes: list[Any],
) -> None:
    def speech(request: dict[str, Any]) -> Iterator[bytes]:
        try:
            yield spoken(changed(liar.events(request), changes))
        except Exception as error:  # noqa: BLE001  a mistake of this test would count as a lie
            mistakes.append(error)

    mistakes: list[Exception] = []
    lying(speech)
    command(cluster)
    assert mistakes == []


EVIL = "\x1b[2J\u202e[red][/nope]\nserver-1  done     nothing to change\n  next: evil"


def evil(data: Any) -> Any:
    """The same data, with evil in the place of every text that may be any text."""
    if isinstance(data, str):
        return EVIL
    if isinstance(data, dict):
        fixed = ("event", "id", "status", "run", "certificates", "links", "marks")
        return {key: data[key] if key in fixed else evil(data[key]) for key in data}
    return [evil(item) for item in data] if isinstance(data, (list, tuple)) else data


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
@pytest.mark.parametrize("status", ["changed", "failed"])
def test_evil_texts__that_fit_the_schema_are_shown_as_letters_in_every_command(
    cluster: Cluster, lying: Callable[..., None], command: Callable[[Cluster], None], status: str
) -> None:
    def speech(request: dict[str, Any]) -> Iterator[bytes]:
        start, *facts, end = (e for e in liar.events(request) if e["event"] != "ok")
        yield from map(record, evil([start, *facts]))
        for words in ("warning", "doing", "owed"):
            yield record(
                {"event": words, **dict.fromkeys(("words", "id", "action", "since"), EVIL)}
            )
        yield record({"event": "restored", "unit": EVIL, "paths": [EVIL]})
        rest = {"gap": {EVIL: [EVIL, EVIL]}, "diff": EVIL, "words": EVIL, "seconds": 0.2}
        for each in request["resources"]:
            yield record({"event": "resource", "id": each["id"], "status": status, **rest})
        yield record(end)

    lying(speech)
    command(cluster)


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
@pytest.mark.parametrize("last", ["error", "busy"])
def test_evil_refusals__are_shown_as_letters_in_every_command(
    cluster: Cluster, lying: Callable[..., None], command: Callable[[Cluster], None], last: str
) -> None:
    holder = dict.fromkeys(("who", "from", "since"), EVIL)
    lying(lambda _: [record({"event": last, "words": EVIL, "holder": holder})])
    command(cluster)
