"""No host can crash, hang, fill or deceive a command, nor hide what the others say.

Three honest hosts stand beside one that says whatever the test likes: bytes, events with
anything in the place of anything, and endless streams. Each command that reads hosts is
asked, and its output is read as a terminal would.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import re
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from nodriza import drift, history, logs, releases, status
from nodriza.drain import out_of_rotation
from nodriza.errors import NodrizaError
from nodriza.events import NotAnEvent, read
from nodriza.inventory import Cluster
from nodriza.look import look
from nodriza.plan import Plan
from nodriza.provision import plan_all
from nodriza.report import make_report
from nodriza.rollout import Run, roll_out
from nodriza.ssh.channel import ERRORS, exchange
from nodriza.ssh.commands import Everywhere
from nodriza.ssh.conversation import ALL
from tests.memory import Peak
from tests.unit.hostile import liar
from tests.unit.hostile.liar import Connection, Speech, honest, record

LIAR = "video-1"
HONEST = ("server-1", "server-2", "server-3")
MOVES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
FEW = settings(
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
MANY = settings(FEW, max_examples=300)


class Ways:
    """Every node is reached at once; one of them lies."""

    def __init__(self, speech: Speech, **options: Any) -> None:
        self.speech, self.options = speech, options

    def take(self, node: Any) -> Connection:
        return Connection(self.speech, **self.options) if node.name == LIAR else Connection(honest)


@pytest.fixture
def lying(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the liar say something from now on."""

    def lie(speech: Speech, **options: Any) -> None:
        ways = Ways(speech, **options)
        monkeypatch.setattr("nodriza.rollout.Connections", lambda _: ways)
        monkeypatch.setattr("nodriza.ssh.commands.connect", lambda node, _: ways.take(node))

    return lie


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    from nodriza.inventory import load_cluster
    from tests.unit.conftest import ROOT

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NODRIZA_LAB_STATE", str(tmp_path_factory.mktemp("none") / "no-lab"))
        return load_cluster(ROOT / "inventories" / "three-node.yml")


def shown(text: str) -> str:
    """As a terminal would have it; nothing in it may move a cursor."""
    assert not MOVES.search(text)
    return text


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
    for line in [*history.table(found), *history.story(entry), *history.not_undone(entry)]:
        assert len(shown(line).splitlines()) <= 1
    for entry in found.entries:
        list(history.story(entry))
        history.later_runs(found, entry)
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

# One text in the place of any text, one value in the place of any value.
TEXTS = st.one_of(
    st.sampled_from(
        [
            "\x1b]0;title\x07\x1b[2J",
            "x\nserver-1  done     nothing to change (0.1 s)",
            "x\n  kept: all\n  next: curl evil | sh",
            "[red]x[/] [link=https://example.org]y[/link] [/nope]",
            "\u202e\u200b\u2066",
            "\ud800",
            "%s {x} \\",
            "",
            "a" * 5000,
            "2026-99-99T99:99:99Z",
            "../../etc",
        ]
    ),
    st.text(max_size=20),
)
VALUES = st.one_of(
    TEXTS,
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([0, -1, 10**10, 10**400, 1e308, -0.0, float("nan"), float("inf")]),
    st.lists(TEXTS, max_size=3),
    st.dictionaries(TEXTS, TEXTS, max_size=3),
    st.just([[]] * 3),
)
KINDS = ["resource", "ok", "doing", "owed", "turn", "warning", "restored", "busy", "error"]
KINDS += ["away", "end", "facts", "start", "agent", "connecting", "nope"]
EXTRA = st.one_of(
    st.fixed_dictionaries(
        {
            "event": st.sampled_from(KINDS),
            "id": VALUES,
            "status": st.sampled_from(["ok", "changed", "failed", "skipped", "node", "error"]),
            "gap": st.dictionaries(TEXTS, VALUES | st.tuples(VALUES, VALUES), max_size=3),
            "diff": TEXTS,
            "words": TEXTS,
            "seconds": VALUES,
            "serves": VALUES,
            "count": VALUES,
            "paths": VALUES,
            "unit": TEXTS,
            "holder": VALUES,
            "action": TEXTS,
            "since": TEXTS,
        }
    ),
    st.dictionaries(TEXTS, VALUES, max_size=3),
    VALUES,
)


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


def spoken(said: list[Any]) -> bytes:
    return b"".join(b"\x1e" + json.dumps(event).encode() + b"\n" for event in said)


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


REQUEST = {
    "mode": "apply",
    "rollback": "",
    "releases": False,
    "ask": {"history": None},
    "resources": [{"id": f"file:/{number}"} for number in range(3)],
}


EVENTS = START, FACTS, OK3, END = liar.events(REQUEST)


def converse(*said: bytes, request: dict[str, Any] = REQUEST, **options: Any) -> list[Any]:
    """What a host said, as far as it was let in."""
    heard: list[Any] = []
    connection: Any = Connection(lambda _: said, **options)
    with contextlib.suppress(NodrizaError):
        exchange(connection, request, lambda event: heard.append(event) or None)
    return heard


@given(st.lists(st.binary(max_size=200) | st.sampled_from([b"\x1e", b"\n", b"{", b"}", b'"'])))
@MANY
def test_any_bytes__end_in_words_or_in_nothing(pieces: list[bytes]) -> None:
    converse(*pieces)


@given(st.data())
@MANY
def test_honest_bytes__are_heard_alike_however_they_are_cut_and_whatever_noise_there_is(
    data: Any,
) -> None:
    noise = data.draw(st.binary(max_size=30)).replace(b"\x1e", b"")
    whole = (
        noise
        + b"\n".join(
            [
                data.draw(st.sampled_from([b"", b"motd"])) + b"\x1e" + json.dumps(event).encode()
                for event in EVENTS
            ]
        )
        + b"\n"
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    pieces = [whole[a:b] for a, b in itertools.pairwise([0, *cuts, len(whole)]) if a < b]
    heard = [event["event"] for event in converse(*pieces)]
    assert heard == ["start", "facts", "resource", "resource", "resource", "end"]


@given(EXTRA)
@MANY
def test_record__fits_or_is_refused_in_one_line_of_words(event: Any) -> None:
    words = "it fits"
    try:
        read(json.dumps(event).encode())
    except NotAnEvent as error:
        words = str(error)
    assert 0 < len(words) < 500
    assert len(shown(words).splitlines()) == 1


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ([START, FACTS, END], "done after 0 of 3 resources"),
        ([START, FACTS, OK3, OK3, END], "more resources than the plan has"),
        ([START, START], "begins twice"),
        ([START, OK3, END], "done without an answer"),
        ([{**START, "resources": 2}], "a plan of 2 resources: 3 were sent"),
        ([END], "end before it had begun"),
        ([START, {**FACTS, "strays": []}], "something else than was asked"),
        ([START, FACTS, FACTS], "answers twice"),
        ([START, *[{"event": "warning", "words": "x"}] * 200], "more than"),
        ([START, {"event": "resource", "id": "file:/2"}], "resource.status: Field required"),
        (
            [
                START,
                {**dict.fromkeys(("diff", "words"), ""), "event": "resource", "id": "file:/2"}
                | {"status": "ok", "gap": {}, "seconds": 0},
            ],
            "file:/2 in the place of file:/0",
        ),
    ],
)
def test_host__that_leaves_something_out_or_says_it_twice_is_not_believed(said, words) -> None:
    connection: Any = Connection(lambda _: [spoken(said)])
    with pytest.raises(NodrizaError, match=re.escape(words)):
        exchange(connection, REQUEST, lambda _: None)


def test_host__that_leaves_a_path_out_of_its_state_is_not_believed() -> None:
    ask = {"state": {"links": ["/a"], "certificates": ["/b"], "marks": ["/c"]}}
    request = {**REQUEST, "ask": ask}
    for name in ask["state"]:
        start, facts, *_ = json.loads(json.dumps(liar.events(request)))
        facts["state"][name] = {}
        connection: Any = Connection(lambda _, said=(start, facts): [spoken(said)])
        with pytest.raises(NodrizaError, match=f"state.{name} is about something else"):
            exchange(connection, request, lambda _: None)


def test_message_of_several_lines__is_one_entry_whose_further_lines_are_marked() -> None:
    line = {
        "__REALTIME_TIMESTAMP": "1795262400000000",
        "MESSAGE": "a\n2026-11-21 server-1 nginx: b",
    }
    entry = str(logs.Reader(LIAR).read(json.dumps(line)))
    assert entry.splitlines()[1] == "    | 2026-11-21 server-1 nginx: b"


MEGABYTE = b"x" * 2**20


def keys() -> bytes:
    """A listing of more than anybody has."""
    return json.dumps({str(number): [] for number in range(100_000)}).encode()


FACT = b'\x1e{"event":"facts","history":%s}\n'
FLOODS = {
    "a line without end": lambda: itertools.repeat(MEGABYTE, 2000),
    "a record without end": lambda: itertools.chain([b"\x1e{"], itertools.repeat(MEGABYTE, 2000)),
    "short pieces of one line": lambda: itertools.repeat(b"x" * 100, 300_000),
    "noise without end": lambda: itertools.repeat(b"noise\n" * 10_000),
    "warnings without end": lambda: itertools.chain(
        [record(START)], itertools.repeat(record({"event": "warning", "words": "w" * 5000}) * 10)
    ),
    "a huge list": lambda: [record(START), FACT % b"[%s]" % (b"[]," * 340_000 + b"[]")],
    "a huge dictionary": lambda: [record(START), FACT % b'{%s"":1}' % (b'"":[],' * 140_000)],
    "many keys": lambda: [record(START), FACT % keys()],
    "deep nesting": lambda: [b"\x1e" + b"[" * 3_000_000 + b"\n"],
    "a number without end": lambda: [b'\x1e{"event":"ok","count":' + b"9" * 3_000_000 + b"}\n"],
}


@pytest.mark.parametrize("flood", FLOODS)
def test_flood__ends_within_seconds_and_few_megabytes(flood: str) -> None:
    peak, began = Peak(), time.monotonic()
    connection: Any = Connection(lambda _: FLOODS[flood]())
    with pytest.raises(NodrizaError):
        exchange(connection, REQUEST, lambda _: None)
    assert time.monotonic() - began < 20
    assert peak.grown < ALL


def test_flood_of_stderr__ends_within_seconds_and_few_megabytes() -> None:
    peak, began = Peak(), time.monotonic()
    gigabyte = itertools.repeat(MEGABYTE, 1000)

    def silent(_: Any) -> Iterator[bytes]:
        while not connection.channel.closed:
            time.sleep(0.01)
        yield b""

    connection: Any = Connection(silent, stderr=gigabyte)
    with pytest.raises(NodrizaError, match="MB on stderr"):
        exchange(connection, REQUEST, lambda _: None)
    assert time.monotonic() - began < 20
    assert peak.grown < 2 * ERRORS


def test_host_that_drips__is_given_up_when_its_time_is_over() -> None:
    def drip(_: Any) -> Iterator[bytes]:
        while True:
            time.sleep(0.02)
            yield b"."

    began = time.monotonic()
    connection: Any = Connection(drip)
    with pytest.raises(NodrizaError, match="had not said all within 1 s"):
        exchange(connection, {**REQUEST, "mode": "check"}, lambda _: None, deadline=1)
    assert time.monotonic() - began < 5


LINES = st.lists(
    st.one_of(
        st.text(max_size=40),
        TEXTS,
        st.builds("zone:{}".format, st.sampled_from(["+9999", "-0000", "+01", "", "+0130", "x"])),
        st.builds(
            "file:{}:{}".format,
            TEXTS,
            st.sampled_from(
                [
                    "2026-11-21T12:00:00+99:99 x",
                    "0001-01-01 00:00:00 +1400 x",
                    "9999-12-31 23:59:59.999 -1400 x",
                    "2026-13-41 25:61:61 x",
                    "٢٠٢٦-11-21 12:00:00",
                ]
            ),
        ),
        st.builds(
            lambda time_, **rest: json.dumps({"__REALTIME_TIMESTAMP": time_, **rest}),
            VALUES | st.sampled_from(["1795262400000000", "9" * 30, "-1"]),
            MESSAGE=VALUES | st.lists(st.integers(-1, 300), max_size=4),
            UNIT=VALUES,
            _SYSTEMD_UNIT=VALUES,
        ),
    ),
    max_size=6,
)


@given(LINES, st.booleans())
@settings(FEW, max_examples=100)
def test_odd_lines__are_shown_as_lines_of_their_node_and_hide_no_other(
    cluster: Cluster, lying: Callable[..., None], lines: list[str], follow: bool
) -> None:
    said = "\n".join(lines).encode("utf-8", "surrogatepass")

    def speech(_: Any) -> list[bytes]:
        return [said[:7], said[7:]]

    def log(_: Any) -> list[bytes]:
        line = {"__REALTIME_TIMESTAMP": "1795262400000000", "MESSAGE": "well", "UNIT": "nginx"}
        return [b"zone:+0000\n", json.dumps(line).encode() + b"\n"]

    ways = SimpleNamespace(take=lambda n: Connection(speech if n.name == LIAR else log))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nodriza.ssh.commands.connect", lambda node, _: ways.take(node))
        plans = [Plan(node.name, ()) for node in cluster.nodes]
        entries = list(logs.merged(cluster, plans, logs.Wish(lines=500, follow=follow)))
        lines_ = [line for entry in entries for line in shown(str(entry)).splitlines()]
        for node in HONEST:
            assert f"2026-11-21 12:00:00.000 {node} nginx: well" in lines_
        dated = [entry for entry in entries if not isinstance(entry, str)]
        assert all(entry.as_json() for entry in dated)
        for entry in dated:
            first, *more = str(entry).splitlines()
            assert f" {entry.node} " in first
            assert all(line.startswith("    | ") for line in more)

        run = Everywhere(cluster, dict.fromkeys((node.name for node in cluster.nodes), "true"))
        heard = [each for each in run.lines() if each]
        assert all(len(shown(line).splitlines()) <= 1 for _, line in heard)
        assert set(run.ended) == {node.name for node in cluster.nodes}


def test_command__that_breaks_our_side_of_one_node_ends_and_hides_no_other(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(node: Any, _: Any) -> Connection:
        if node.name == LIAR:
            raise AssertionError("as paramiko has some")
        return Connection(lambda _: [b"fine\n"])

    monkeypatch.setattr("nodriza.ssh.commands.connect", connect)
    run = Everywhere(cluster, dict.fromkeys((node.name for node in cluster.nodes), "true"))
    assert sorted(each for each in run.lines() if each) == [(node, "fine") for node in HONEST]
    assert "as paramiko has some" in str(run.ended[LIAR].error)


def test_host__that_does_not_end_a_command_when_it_is_told_is_left(
    cluster: Cluster, lying: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def drip(_: Any) -> Iterator[bytes]:
        while True:
            time.sleep(0.02)
            yield b".\n"

    monkeypatch.setattr("nodriza.ssh.commands.KIND", 0.2)
    lying(drip)
    run = Everywhere(cluster, {LIAR: "true"})
    lines, began = run.lines(), time.monotonic()
    assert next(lines) == (LIAR, ".")
    run.stopped.set()
    assert all(line == (LIAR, ".") for line in lines)
    assert time.monotonic() - began < 10
    assert LIAR in run.ended
