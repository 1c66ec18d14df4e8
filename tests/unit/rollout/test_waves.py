"""A whole run over hosts that answer as told: who begins when, and what is said of whom."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from nodriza.ending import stopped_by_ctrl_c
from nodriza.errors import ConnectionFailed, HostKeyError, HostRefused, Interrupted
from nodriza.inventory import Cluster
from nodriza.plan.plan import Plan, Planned
from nodriza.report.result import NodeResult
from nodriza.resources import File
from nodriza.rollout import node
from nodriza.rollout.query import Silent
from nodriza.rollout.run import Run
from nodriza.rollout.waves import exit_code, roll_out

Hear = Callable[[dict[str, Any]], Any]
RESOURCE = {"event": "resource", "id": "file:/a", "gap": {}, "diff": "", "seconds": 0.0}
START = {"event": "start", "resources": 1, "python": "3.11", "check": False}


class Way(str):
    """A connection that is always there, until it is closed."""

    is_connected = True

    def close(self) -> None:
        self.is_connected = False


class Ways:
    """One to each node that asks."""

    def __init__(self) -> None:
        self.taken: list[Way] = []

    @contextlib.contextmanager
    def take(self, node: Any) -> Iterator[Way]:
        self.taken.append(Way(node.name))
        yield self.taken[-1]
        self.taken[-1].close()


class Recap(Silent):
    """A report that remembers its end."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.finished: dict[str, NodeResult] = {}

    def event(self, node: str, event: dict[str, Any]) -> None:
        self.events.append((node, event))

    def finish(self, results: dict[str, NodeResult], seconds: float, check: bool) -> None:
        self.finished = results


class Hosts:
    """``agents``: node to what happens on it; others change one file and are well."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.agents: dict[str, Callable[[Hear], None]] = {}
        self.silent: dict[str, threading.Event] = {}
        """They say nothing until then."""
        self.log: list[str] = []
        self.requests: dict[str, dict[str, Any]] = {}
        self.report = Recap()

    def exchange(self, name: str, request: dict[str, Any], heard: Hear, **_: Any) -> None:
        self.requests[name] = request
        if name in self.silent:
            self.silent[name].wait(5)
        self.log.append(f"{name} begins")
        heard({**START, "clock": time.time()})
        self.agents.get(name, self.changes(name))(heard)

    def changes(self, name: str, *, pause: float = 0, status: str = "changed") -> Any:
        def agent(heard: Hear) -> None:
            time.sleep(pause)
            came = heard({"event": "turn", "serves": False})
            self.log.append(f"{name} {'changes' if came else 'is left alone'}")
            time.sleep(pause)
            words = "" if came else "its turn did not come"
            heard({**RESOURCE, "words": words, "status": status if came else "skipped"})
            self.log.append(f"{name} ends")

        return agent

    def run(self, **options: Any) -> dict[str, NodeResult]:
        run = Run(self.cluster, self.report, {}, "provision", **options)
        run.ways = self.ways = Ways()  # type: ignore[assignment]
        plans = [plan(node.name) for node in self.cluster.nodes]
        return roll_out(run, plans[::-1])


def plan(node: str, content: str = "x") -> Plan:
    return Plan(node, (Planned(File("/a", content), "roles/nginx.py:12"),))


@pytest.fixture
def hosts(three_node: Cluster, monkeypatch: pytest.MonkeyPatch) -> Hosts:
    hosts = Hosts(three_node)
    monkeypatch.setattr(node, "exchange", hosts.exchange)
    return hosts


def test_central__begins_before_all_others_and_has_changed_before_they_do(hosts):
    """They find its database, its share and its users as they are to be."""
    hosts.agents["server-1"] = hosts.changes("server-1", pause=0.1)
    results = hosts.run()
    assert hosts.log[0] == "server-1 begins"
    done = hosts.log.index("server-1 ends")
    early = [said for said in hosts.log[:done] if "changes" in said]
    assert early == ["server-1 changes"]
    assert all(result.changed == 1 for result in results.values())


def test_nodes_of_a_wave__change_together_however_few_places_there_are(hosts):
    plans = [replace(plan(name), together=True) for name in ("server-2", "server-3", "video-1")]
    hosts.agents["server-3"] = hosts.changes("server-3", pause=0.05)
    run = Run(hosts.cluster, hosts.report, {}, "deploy", connections=Ways(), parallel=1)
    results = roll_out(run, plans)
    assert [one.changed for one in results.values()] == [1, 1, 1]
    begun = [at for at, line in enumerate(hosts.log) if line.endswith("begins")]
    assert max(begun) < min(at for at, line in enumerate(hosts.log) if line.endswith("changes"))


def test_check__makes_nobody_wait(hosts):
    """All look at once: a central node that is slow, or away, holds no other up."""
    others = hosts.silent["server-1"] = threading.Event()
    hosts.agents["video-1"] = lambda heard: others.set()
    hosts.run(check=True)
    assert hosts.log.index("video-1 begins") < hosts.log.index("server-1 begins")


def test_central_that_fails__leaves_the_others_alone(hosts):
    hosts.agents["server-1"] = hosts.changes("server-1", status="failed")
    results = hosts.run()
    assert "left alone, because server-1 failed" in results["server-2"].error.what
    assert not [said for said in hosts.log if said.endswith("changes") and "server-1" not in said]
    assert exit_code(results) == 1


def raises(error: BaseException) -> Callable[[Hear], None]:
    def agent(_: Hear) -> None:
        raise error

    return agent


@pytest.mark.parametrize(
    "error",
    [
        HostRefused("sudo refuses"),
        ConnectionFailed("the line broke"),
        HostKeyError("unknown host key"),
        KeyError("a mistake of ours"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "a host's word"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_node_that_fails__hides_no_other_result(hosts, error):
    hosts.agents["video-1"] = raises(error)
    results = hosts.run()
    assert set(results) == {node.name for node in hosts.cluster.nodes}
    assert results["video-1"].bad
    assert results["server-1"].changed == results["server-2"].changed == 1
    assert hosts.report.finished == results
    assert exit_code(results) == 1


def test_recap__comes_when_the_report_itself_breaks(hosts):
    def broken(node: str, event: dict[str, Any]) -> None:
        raise RuntimeError("a pipe that was closed")

    hosts.report.event = broken  # type: ignore[method-assign]
    finished = []
    hosts.report.finish = lambda *args: finished.append(args)  # type: ignore[method-assign]
    with pytest.raises(RuntimeError):
        hosts.run()
    assert len(finished) == 1


def test_results__come_in_the_order_of_the_plans(hosts):
    names = [node.name for node in hosts.cluster.nodes]
    assert list(hosts.run()) == names[::-1]


def test_failure__names_the_role_s_file_and_line(hosts):
    hosts.agents["server-2"] = hosts.changes("server-2", status="failed")
    results = hosts.run()
    assert results["server-2"].resources[0]["origin"] == "roles/nginx.py:12"


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([None], 0),
        ([None, HostRefused("no")], 1),
        ([HostRefused("no"), Interrupted("stop")], 130),
    ],
)
def test_exit_code__tells(errors, code):
    results = {str(n): NodeResult(str(n), error=error) for n, error in enumerate(errors)}
    assert exit_code(results) == code


def test_resource_that_failed__is_in_the_exit_code_too():
    assert exit_code({"a": NodeResult("a"), "b": NodeResult("b", failed=1)}) == 1


def test_request__holds_the_secrets_of_its_own_plan_and_no_others(hosts):
    run = Run(hosts.cluster, hosts.report, {"redis": "VALUE1", "mysql_app": "VALUE2"}, "provision")
    assert run.request(plan("server-2", "‹secret:redis›"))["secrets"] == {"redis": "VALUE1"}


def test_second_run_of_a_busy_host__is_told_who_holds_it_and_since_when(hosts):
    holder = {"who": "ana", "from": "laptop", "since": "03:00"}
    hosts.agents["server-1"] = lambda heard: heard({"event": "busy", "holder": holder})
    error = hosts.run()["server-1"].error
    assert "ana from laptop, since 03:00" in error.what
    assert error.kept == "nothing was changed by this run"


HOLDER = {"who": "ana", "from": "laptop", "since": "03:00"}


@pytest.fixture
def taken_for(hosts, monkeypatch):
    """The central is taken so many times, and then free; gives the times when it was asked."""
    monkeypatch.setattr("nodriza.rollout.taken.AGAIN", 0.01)

    def prepare(times: int) -> list[float]:
        asked: list[float] = []

        def exchange(name: str, request: dict[str, Any], heard: Hear, **options: Any) -> None:
            if name == hosts.cluster.builder.name:
                asked.append(time.monotonic())
                if len(asked) <= times:
                    heard({"event": "busy", "holder": HOLDER})
                    return
            hosts.exchange(name, request, heard, **options)

        monkeypatch.setattr(node, "exchange", exchange)
        return asked

    return prepare


def test_busy_host__is_waited_for_and_then_all_goes_on(hosts, taken_for):
    asked = taken_for(3)
    results = hosts.run(wait=20)
    assert len(asked) == 4
    assert exit_code(results) == 0
    assert all(result.changed == 1 for result in results.values())
    told = [event["words"] for _, event in hosts.report.events if event["event"] == "warning"]
    assert told == [
        "another run is at work on it: ana from laptop, since 03:00; waits up to 20 s"
    ], "once, and not for each attempt"


def test_busy_host__is_refused_when_the_time_is_up(hosts, taken_for):
    taken_for(1_000_000)
    error = hosts.run(wait=0.2)[hosts.cluster.builder.name].error
    assert "since 03:00, and after 0 s it still is" in error.what


def test_busy_host__is_asked_once_without_wait_and_the_refusal_names_it(hosts, taken_for):
    asked = taken_for(3)
    error = hosts.run()[hosts.cluster.builder.name].error
    assert len(asked) == 1
    assert "--wait 600" in error.do


def test_ctrl_c_while_a_busy_host_is_waited_for__ends_it(hosts, taken_for):
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    taken_for(1_000_000)
    began = time.monotonic()
    results = hosts.run(wait=5, stop=stop)
    assert time.monotonic() - began < 4
    assert exit_code(results) == 130


def test_releases__are_in_hand_from_the_first_wave_to_the_end_of_the_last(hosts):
    """The agent that has them stays for as long as its connection is open."""
    open_then = []

    def again(results: dict[str, NodeResult]) -> list[Plan]:
        (kept,) = hosts.ways.taken
        open_then.append(kept.is_connected)
        return [plan("server-1")]

    hosts.agents["server-1"] = lambda heard: heard({"event": "end"})
    run = Run(hosts.cluster, hosts.report, {}, "deploy", waves=(again, again))
    run.ways = hosts.ways = Ways()  # type: ignore[assignment]
    roll_out(run, [dataclasses.replace(plan("server-1"), releases=True)])
    assert hosts.requests["server-1"]["releases"] is False, "the last one has no need to"
    assert open_then == [True, True]
    assert len(hosts.ways.taken) == 1, "the same connection serves all of them"
    assert not hosts.ways.taken[0].is_connected


def test_ctrl_c_in_the_last_step_of_a_wave__is_no_good_end(hosts):
    """All that the host was asked for is done, and what follows from it is not."""
    stop, asked = threading.Event(), []

    def stops(heard: Hear) -> None:
        hosts.changes("server-1")(heard)
        stop.set()

    def follow(results: dict[str, NodeResult]) -> list[Plan]:
        asked.append(sorted(results))
        return [plan("server-1"), plan("server-2")]

    hosts.agents["server-1"] = stops
    run = Run(hosts.cluster, hosts.report, {}, "deploy", waves=(follow, follow), stop=stop)
    run.ways = Ways()  # type: ignore[assignment]
    results = roll_out(run, [plan("server-1")])
    assert exit_code(results) == 130
    assert asked == [["server-1"]], "what comes after it follows from nothing"
    assert hosts.log.count("server-1 begins") == 1
    assert results["server-1"].error.kept == "what this run did on it stays"
    assert results["server-2"].error.kept == "nothing was changed on it"
    assert (results["server-1"].changed, results["server-2"].skipped) == (1, 1)
    assert hosts.report.finished == results


def test_later_wave__waits_for_a_host_that_another_run_has(hosts, taken_for):
    """What was begun on others is not to be left with half of it."""
    asked = taken_for(3)
    central = [plan("server-1")]
    run = Run(hosts.cluster, hosts.report, {}, "deploy", waves=(lambda _: central,))
    run.ways = Ways()  # type: ignore[assignment]
    assert exit_code(roll_out(run, [plan("server-2")])) == 0
    assert len(asked) == 4


def test_clock_that_is_wrong__is_a_warning(hosts, monkeypatch):
    monkeypatch.setitem(START, "clock", 0)
    monkeypatch.setattr(
        hosts,
        "exchange",
        lambda name, request, heard, **_: heard({**START, "clock": 1.0}) and None,
    )
    monkeypatch.setattr(node, "exchange", hosts.exchange)
    hosts.run()
    words = [event["words"] for _, event in hosts.report.events if event["event"] == "warning"]
    assert len(words) == len(hosts.cluster.nodes)
    assert "behind this computer's" in words[0]


@pytest.mark.parametrize(("check", "mode"), [(True, "check"), (False, "apply")])
def test_request__says_whether_anything_may_change(hosts, check, mode):
    run = Run(hosts.cluster, hosts.report, {}, "provision", check=check)
    assert run.request(plan("server-2"))["mode"] == mode


def test_ctrl_c__is_heard_wherever_it_comes_and_the_second_goes_through():
    """One that came while a report was being written was not: it ended the run."""
    stop, before = threading.Event(), signal.getsignal(signal.SIGINT)
    with stopped_by_ctrl_c(stop):
        signal.raise_signal(signal.SIGINT)
        assert stop.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before


def test_ctrl_c__while_a_report_is_written_has_its_recap(monkeypatch, three_node):
    class Interrupted(Recap):
        def event(self, node, event):
            super().event(node, event)
            if event["event"] == "start":
                signal.raise_signal(signal.SIGINT)

    def answers(connection, request, hear, **more):
        hear(START | {"clock": time.time()})
        more["stop"].wait(5)
        hear(RESOURCE | {"status": "skipped", "words": "the run was interrupted"})

    monkeypatch.setattr(node, "exchange", answers)
    report = Interrupted()
    run = Run(three_node, report, {}, "a test", connections=Ways())
    results = roll_out(run, [Plan("server-2", (Planned(File("/a", ""), "here"),))])
    assert exit_code(results) == 130
    assert report.finished.keys() == {"server-2"}
    assert ("server-2", {"event": "stopping"}) in report.events
