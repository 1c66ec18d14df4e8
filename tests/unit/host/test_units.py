"""What runs has read what is on disk, in whatever state its unit was found."""

from __future__ import annotations

import time

import pytest

from nodriza.host import units
from nodriza.host.errors import Result
from nodriza.host.host import Host
from nodriza.resources import File, Service
from tests.unit.agent.one_run import ME, Run, conf

STATES = {
    "active running": None,
    "reloading reload": "reload",
    "activating start": "start",
    "activating start ": None,  # whose job somebody has cancelled
    "activating auto-restart": None,
    "deactivating stop-sigterm": "restart",
    "deactivating stop-sigterm ": "stop",
    "inactive dead": None,
    "inactive dead ": "start",
    "failed failed": None,
}
"""ActiveState and SubState, and the job that is at work."""


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr("nodriza.resources.service.SETTLE", 0)
    monkeypatch.setattr(units, "PAUSE", 0)


@pytest.fixture
def _impatient(monkeypatch):
    """Nothing settles in time."""
    monkeypatch.setattr("nodriza.host.units.settled.__defaults__", (0,))
    monkeypatch.setattr(units, "ARRIVE", 0)


def leave(run: Run, state: str, job: str | None, **unit) -> None:
    """The service as a run finds it, with the file "a" read."""
    running = state.split()[0] in ("active", "reloading")
    seen = {"enabled": True, "running": running, "read": "a", "state": state, "job": job}
    run.host.systemd = {"web": {**seen, **unit}}


def with_action(action: str, text: str) -> list:
    *before, service = conf(text)
    file = next(each for each in before if isinstance(each, File))
    follows = {"reload_on": (), f"{action}_on": (file,)}
    return [*before, Service("web", check=service.check, **follows)]


@pytest.mark.parametrize("action", ["reload", "restart"])
@pytest.mark.parametrize(("state", "job"), STATES.items())
@pytest.mark.usefixtures("_impatient")
def test_change__is_read_in_whatever_state_the_unit_was_found(tmp_path, state, job, action):
    leave(Run(tmp_path, with_action(action, "a")), state, job)
    run = Run(tmp_path, with_action(action, "b"), "run-2")
    assert run.counts["failed"] == 0, run.events
    assert run.host.systemd["web"]["read"] == "b"
    assert run.journal.all_owed() == []
    assert Run(tmp_path, with_action(action, "b"), "run-3").counts["changed"] == 0


@pytest.mark.parametrize("action", ["reload", "restart"])
@pytest.mark.parametrize(("state", "job"), STATES.items())
@pytest.mark.usefixtures("_impatient")
def test_start_that_fails_with_the_new_file__leaves_what_runs_with_the_old_one(
    tmp_path, state, job, action
):
    leave(Run(tmp_path, with_action(action, "a")), state, job)
    run = Run(tmp_path, with_action(action, "crashes"), "run-2")
    assert run.counts["failed"] == 1
    assert run.host.read("/etc/web/web.conf") == b"a"
    now = run.host.systemd["web"]
    assert now["read"] == "a" or not now["running"]


@pytest.mark.usefixtures("_impatient")
def test_refused_file_that_somebody_s_restart_has_read_meanwhile__is_read_again(tmp_path):
    """The checker spoke too late for that start."""
    leave(Run(tmp_path, conf("a")), "active running", None)
    host = Run(tmp_path, conf("a"), check=True).host
    host.systemd = {
        "web": {**host.systemd["web"], "read": "bad", "moved": int(2e6 * time.monotonic())}
    }
    run = Run(tmp_path, conf("bad"), "run-2")
    assert run.counts["failed"] == 1
    assert run.host.systemd["web"]["read"] == "a"


COMING = [(state, job) for state, job in STATES.items() if job in ("start", "restart", "reload")]


@pytest.mark.parametrize(("state", "job"), COMING)
@pytest.mark.usefixtures("_impatient")
def test_check_of_a_unit_that_systemd_is_bringing_up__counts_it_as_up_and_says_so(
    tmp_path, state, job
):
    leave(Run(tmp_path, conf("a")), state, job)
    run = Run(tmp_path, conf("a"), "run-2", check=True)
    assert run.counts["changed"] == 0
    (warning,) = (each["words"] for each in run.events if each["event"] == "warning")
    assert warning.startswith("web.service is ")
    assert warning.endswith("): it counts as up")


@pytest.mark.parametrize(("state", "job"), COMING)
@pytest.mark.usefixtures("_impatient")
def test_run__waits_for_a_unit_that_systemd_is_bringing_up(tmp_path, monkeypatch, state, job):
    leave(Run(tmp_path, conf("a")), state, job)
    came = {"enabled": True, "running": True, "passing": "", "began": True}
    monkeypatch.setattr(Service, "arrived", lambda service, host: came)
    run = Run(tmp_path, conf("a"), "run-2")
    assert run.counts == {"ok": 5, "changed": 0, "failed": 0, "skipped": 0}


@pytest.mark.parametrize(("state", "job"), COMING)
@pytest.mark.usefixtures("_impatient")
def test_run__does_not_wait_for_ever_for_it(tmp_path, state, job):
    leave(Run(tmp_path, conf("a")), state, job)
    run = Run(tmp_path, conf("a"), "run-2")
    assert run.counts["failed"] == 1
    assert "systemctl list-jobs" in run.events[-1]["words"]


def test_units_of_systemd__are_read_at_the_end_where_no_service_was_there_to_do_it(tmp_path):
    folder = tmp_path / "etc/systemd/system/a.mount.d"
    folder.mkdir(parents=True)
    drop_in = File("/etc/systemd/system/a.mount.d/a.conf", "[Unit]\n", **ME)
    run = Run(tmp_path, [drop_in])
    assert ["systemctl", "daemon-reload"] in run.host.calls
    assert run.journal.all_owed() == []
    again = Run(tmp_path, [drop_in], "run-2")
    assert ["systemctl", "daemon-reload"] not in again.host.calls


def test_units_of_systemd__are_owed_a_look_by_a_run_that_was_cut_short(tmp_path):
    run = Run(tmp_path, conf("a"))
    run.journal.owe("systemd:units", "daemon-reload", None, "03:00")
    again = Run(tmp_path, conf("a"), "run-2")
    assert ["systemctl", "daemon-reload"] in again.host.calls
    assert again.journal.all_owed() == []


class Systemd(Host):
    """A unit that is what ``seen`` says, one look after the other; the last stays."""

    def __init__(self, *seen: str, delay: str = "2s") -> None:
        super().__init__("/nonexistent")
        self.seen = list(seen)
        self.delay = delay
        self.looks = 0
        self.now = 0.0

    def run(self, argv, **options):
        if argv[1] == "list-jobs":
            return Result(argv, 0, "", "")
        self.looks += 1
        state, substate, *job = (self.seen.pop(0) if len(self.seen) > 1 else self.seen[0]).split()
        blocks = [
            f"Id={name}\nNames={name}\nLoadState=loaded\nActiveState={state}\nSubState={substate}\n"
            f"Job={' '.join(job)}\nRestartUSec={self.delay}"
            for name in argv[3:]
        ]
        return Result(argv, 0, "\n\n".join(blocks), "")


@pytest.fixture
def clock(monkeypatch):
    """Time that passes with each pause only; ``clock[0]`` is now."""
    now = [100.0]
    monkeypatch.setattr(units, "PAUSE", 1)
    monkeypatch.setattr(units.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(units.time, "sleep", lambda s: now.__setitem__(0, now[0] + s))
    return now


NAMES = ["a.service", "b.service"]


@pytest.mark.parametrize(
    "passing",
    [
        "activating start 7",
        "deactivating stop-sigterm 7",
        "reloading reload 7",
        "inactive dead 7",
        "active running 7",
        "activating auto-restart",
    ],
)
def test_unit_on_its_way__is_looked_at_when_it_has_settled(passing, clock):
    host = Systemd(*[passing] * 3, "active running")
    assert units.settled(host, NAMES)["b.service"].state == "active"
    assert clock == [103.0]
    assert host.looks == 4, "one look for all of them"


@pytest.mark.parametrize(
    "state", ["active running", "active exited", "inactive dead", "failed failed"]
)
def test_settled_unit__takes_one_look(state, clock):
    host = Systemd(state)
    units.settled(host, NAMES)
    assert (host.looks, clock) == (1, [100.0])


@pytest.mark.parametrize("delay", ["1min", "20min", "1h 30s", "1d"])
def test_unit_that_is_started_again_much_later__is_not_waited_for(delay, clock):
    units.settled(Systemd("activating auto-restart", delay=delay), NAMES)
    assert clock == [100.0]


def test_unit_that_never_settles__costs_a_run_its_seconds_once(clock):
    host = Systemd("activating auto-restart")
    for _ in range(3):
        units.settled(host, NAMES)
    assert clock == [100.0 + units.LOOK]


def test_unit_that_settled__gets_its_seconds_again(clock):
    host = Systemd("activating start 7", "active running", "reloading reload 7", "active running")
    units.settled(host, NAMES)
    units.settled(host, NAMES)
    assert host.passing == {}
    assert clock == [102.0]
