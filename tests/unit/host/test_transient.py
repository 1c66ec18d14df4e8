"""Other people's programs: a unit of their own, and what systemd is told of it."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest

from nodriza.host import transient
from nodriza.host.errors import CommandFailed, HostError, Result
from nodriza.host.host import Host
from nodriza.host.transient import Unit

SHOP = Unit(
    "nodriza-shop-check",
    "shop",
    writable=("/srv/shop/media",),
    hidden=("/var/lib/nodriza", "/etc/shop"),
    env_file="/etc/shop/shop.env",
    env_names=("LANG",),
)
ENDED = (
    "Running as unit: nodriza-shop-check.service; invocation ID: 1f\n"
    "{said}Finished with result: {result}\n"
    "Main processes terminated with: code=exited/status={exit}\nService runtime: 2ms\n"
)


class Machine(Host):
    """systemctl and systemd-run answer what a test says."""

    def __init__(self, states: tuple[str, ...] = (), exit: int = 0, err: str = "") -> None:
        super().__init__()
        self.states = list(states)
        self.ended = Result((), exit, "", err or ENDED.format(said="", result="success", exit=0))
        self.calls: list[list[str]] = []
        self.timeouts: list[float | None] = []

    def run(self, argv: Any, **options: Any) -> Result:
        self.calls.append(list(argv))
        if argv[0] == "systemd-run":
            self.timeouts.append(options["timeout"])
            return self.ended
        if argv[1] == "show":
            return Result(argv, 0, (self.states.pop(0) if self.states else "inactive") + "\n", "")
        boot = "LANG=es_ES.UTF-8\nHTTP_PROXY=http://someone\nPATH=/odd\n"
        return Result(argv, 0, boot if argv[1] == "show-environment" else "", "")

    @property
    def started(self) -> list[str]:
        return next(call for call in self.calls if call[0] == "systemd-run")


def run(host: Host, *argv: str, timeout: float | None = 20, **more: Any) -> Result:
    return transient.run(
        host, SHOP, argv or ("python", "-c", "1"), cwd="/app", timeout=timeout, **more
    )


def properties(machine: Machine) -> set[str]:
    word = "--property="
    return {each[len(word) :] for each in machine.started if each.startswith(word)}


def test_program__has_no_rights_and_sees_and_changes_only_what_it_is_given() -> None:
    machine = Machine()
    run(machine)
    assert properties(machine) >= {
        "User=shop",
        "WorkingDirectory=/app",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=",
        "RestrictSUIDSGID=yes",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "ProtectProc=invisible",
        "PrivateTmp=yes",
        "PrivateDevices=yes",
        "ReadWritePaths=/srv/shop/media",
        "InaccessiblePaths=-/var/lib/nodriza",
        "InaccessiblePaths=-/etc/shop",
    }


def test_program__is_bounded_so_that_what_serves_beside_it_feels_nothing() -> None:
    machine = Machine()
    run(machine)
    bounds = {"MemoryMax=40%", "CPUWeight=20", "IOWeight=20", "TasksMax=512", "OOMScoreAdjust=500"}
    assert properties(machine) >= bounds


def test_program__ends_with_all_that_it_started() -> None:
    machine = Machine()
    run(machine)
    assert properties(machine) >= {"KillMode=control-group", "TimeoutStopSec=5s"}
    assert {"--wait", "--pipe", "--collect", "--unit=nodriza-shop-check"} < {*machine.started}


def test_environment__is_ours_and_the_files_and_nothing_of_the_boots() -> None:
    machine = Machine()
    run(machine, env={"RES_OPTIONS": "timeout:3"})
    given = {each for each in machine.started if each.startswith("--setenv")}
    assert {"--setenv=LC_ALL=C.UTF-8", "--setenv=RES_OPTIONS=timeout:3"} < given
    assert f"--setenv=PATH={transient.PATH}" in given
    # systemd reads it: a value in a command line could be read by all.
    assert "EnvironmentFile=/etc/shop/shop.env" in properties(machine)
    assert "UnsetEnvironment=HTTP_PROXY" in properties(machine)
    assert "UMask=0022" in properties(machine)


def test_words__of_a_program_are_its_own_and_no_variables() -> None:
    machine = Machine()
    run(machine, "sh", "-c", "echo $HOME ${A}")
    assert machine.started[-4:] == ["--", "sh", "-c", "echo $$HOME $${A}"]


def test_clock__is_systemds_and_there_may_be_none() -> None:
    machine = Machine()
    run(machine)
    assert "RuntimeMaxSec=20s" in properties(machine)
    assert machine.timeouts == [20 + transient.SPARE]
    machine = Machine()
    run(machine, timeout=None)
    assert not any("RuntimeMaxSec" in each for each in properties(machine))
    assert machine.timeouts == [None]


def test_leftover__of_a_killed_run_is_ended_before() -> None:
    machine = Machine(states=("active",))
    run(machine)
    stop = machine.calls.index(["systemctl", "stop", "nodriza-shop-check.service"])
    assert stop < machine.calls.index(machine.started)


def test_leftover__without_a_clock_is_waited_for_with_a_sign_of_life(monkeypatch) -> None:
    monkeypatch.setattr(transient, "LOOK", 0.0)
    machine = Machine(states=("active", "deactivating"))
    signs: list[int] = []
    machine.alive = lambda: signs.append(1)
    run(machine, timeout=None)
    assert len(signs) == 2
    assert not any("stop" in call for call in machine.calls)


def test_failure__is_told_in_the_programs_words_and_in_none_of_systemd_run() -> None:
    machine = Machine(exit=3, err=ENDED.format(said="because\n", result="exit-code", exit=3))
    with pytest.raises(CommandFailed) as caught:
        run(machine)
    assert str(caught.value) == "python -c 1: exit 3\nbecause"
    assert run(machine, check=False).exit == 3


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ("timeout", "python -c 1: no end after 20 s"),
        ("oom-kill", "it wanted more than 40% of this host's memory"),
        ("core-dump", r"systemd says: core-dump \(journalctl --unit nodriza-shop-check\)"),
    ],
)
def test_end__by_systemd_says_why(result: str, words: str) -> None:
    machine = Machine(exit=1, err=ENDED.format(said="", result=result, exit=1))
    with pytest.raises(HostError, match=words):
        run(machine)


def test_program__that_does_not_begin_says_so() -> None:
    with pytest.raises(HostError, match="no such thing\n+systemd says: it did not begin"):
        run(Machine(exit=1, err="no such thing\n"))


def test_variables__are_in_a_file_of_roots_that_is_gone_afterwards(tmp_path) -> None:
    host = Host(str(tmp_path))
    host.mkdirs("/run")
    with transient.variables(host, "trial", 'KEY="1"\n') as path:
        assert host.read(path) == b'KEY="1"\n'
        assert oct(os.stat(host.at(path)).st_mode) == "0o100600"
        assert oct(os.stat(host.at("/run/nodriza")).st_mode) == "0o40700"
    assert host.list("/run/nodriza") == []


def test_variables__of_a_killed_run_go_and_those_of_a_run_at_work_stay(tmp_path) -> None:
    """A check may ask a release while a deploy does."""
    host = Host(str(tmp_path))
    host.mkdirs("/run/nodriza")
    ended = subprocess.Popen(["true"])
    ended.wait()
    host.write(f"/run/nodriza/trial-{ended.pid}.env", "")
    host.write(f"/run/nodriza/trial-{os.getppid()}.env", "")
    with transient.variables(host, "trial", ""):
        there = host.list("/run/nodriza")
    assert there == sorted(f"trial-{pid}.env" for pid in (os.getppid(), os.getpid()))
