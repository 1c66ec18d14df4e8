"""Lines of many nodes and formats, in one order of time."""

from __future__ import annotations

import json
import shlex
import subprocess
import time

import pytest

from nodriza.errors import TargetError
from nodriza.plan.plan import Plan, Planned, plan_node
from nodriza.resources import Service
from nodriza.ssh.commands import Ended
from nodriza.watch import logs as engine
from nodriza.watch.log_entries import Entry, Reader
from nodriza.watch.logs import Wish
from tests.unit.fabfile import test_commands
from tests.unit.typed import typed

project = test_commands.project

NOON = 1795262400.0  # 2026-11-21 12:00 UTC


def journal(when: float, message, **fields: str) -> str:
    return json.dumps({"__REALTIME_TIMESTAMP": f"{when * 1e6:.0f}", "MESSAGE": message, **fields})


def test_journal__is_read_with_its_unit():
    line = journal(NOON + 0.25, "it works", _SYSTEMD_UNIT="uwsgi.service", SYSLOG_IDENTIFIER="u")
    entry = Reader("server-2").read(line)
    assert entry == Entry(NOON + 0.25, "server-2", "uwsgi", "it works")
    assert str(entry) == "2026-11-21 12:00:00.250 server-2 uwsgi: it works"


def test_systemd_s_own_words_about_a_unit__are_that_unit_s():
    line = journal(NOON, "Started", UNIT="nginx.service", _SYSTEMD_UNIT="init.scope")
    assert Reader("a").read(line).unit == "nginx"


def test_message_that_is_no_text__is_read():
    assert Reader("a").read(journal(NOON, [0xC3, 0xB1, 0xFF])).line == "ñ\ufffd"
    assert Reader("a").read(journal(NOON, None)).line == ""


SSH, SESSION = {"_SYSTEMD_UNIT": "ssh.service"}, {"_SYSTEMD_UNIT": "session-5.scope"}
SYSTEMD = {"SYSLOG_IDENTIFIER": "systemd", "_SYSTEMD_UNIT": "init.scope"}
OURS = "COMMAND=/usr/bin/env -i PATH=/usr/local/sbin HOME=/root LC_ALL=C.UTF-8 /bin/sh -c eval"


@pytest.mark.parametrize(
    "line",
    [
        journal(NOON, "Accepted publickey for root from 198.18.7.1 port 5 ssh2: ED25519", **SSH),
        journal(NOON, "pam_unix(sshd:session): session opened for user root(uid=0)", **SSH),
        journal(NOON, "pam_env(sshd:session): deprecated reading of user environment", **SSH),
        journal(NOON, "Received disconnect from 198.18.7.1 port 5:11: disconnected by user"),
        journal(NOON, "Disconnected from user root 198.18.7.1 port 57682", **SESSION),
        journal(NOON, "pam_unix(sshd:session): session closed for user root", **SESSION),
        journal(NOON, "New session 5 of user root.", SYSLOG_IDENTIFIER="systemd-logind"),
        journal(NOON, "Removed session c5.", SYSLOG_IDENTIFIER="systemd-logind"),
        journal(NOON, "Started session-5.scope - Session 5.", UNIT="session-5.scope", **SYSTEMD),
        journal(NOON, "Created slice user-0.slice", UNIT="user-0.slice", **SYSTEMD),
        journal(NOON, "Starting user@0.service", UNIT="user@0.service", **SYSTEMD),
        journal(
            NOON,
            "Reached target basic.target",
            _SYSTEMD_UNIT="user@0.service",
            SYSLOG_IDENTIFIER="systemd",
        ),
        journal(NOON, f"admin : PWD=/home/admin ; USER=root ; {OURS}", **SESSION),
        journal(NOON, "admin : (command continued) aW1wb3J0IGdj bWFyc2hhbA==", **SESSION),
    ],
)
def test_logins_of_ours__are_left_out_where_they_are_not_asked_for(line):
    assert not left_in(line)


@pytest.mark.parametrize(
    "line",
    [
        journal(NOON, "Failed password for root from 203.0.113.9 port 5 ssh2", **SSH),
        journal(NOON, "Invalid user admin from 203.0.113.9 port 5", **SSH),
        journal(NOON, "Connection closed by authenticating user root 203.0.113.9 [preauth]"),
        journal(NOON, "eve : PWD=/ ; USER=root ; COMMAND=/bin/cat /etc/shadow", **SESSION),
        journal(NOON, "somebody did this", **SESSION),
        journal(NOON, "a service of hers", _SYSTEMD_UNIT="user@0.service", SYSLOG_IDENTIFIER="x"),
        journal(NOON, "Started nginx.service", UNIT="nginx.service", **SYSTEMD),
        journal(NOON, 'said "MESSAGE":"Accepted publickey', _SYSTEMD_UNIT="uwsgi.service"),
        journal(NOON, "Sessions are kept in the cache", _SYSTEMD_UNIT="uwsgi.service"),
    ],
)
def test_others_and_failed_logins__stay_in(line):
    assert left_in(line)


def left_in(line):
    # As journalctl writes it: without blanks.
    packed = json.dumps(json.loads(line), separators=(",", ":"))
    argv = ["grep", "-Ev", engine.LOGINS]
    return subprocess.run(argv, input=packed, text=True, capture_output=True, check=False).stdout


def test_logins__are_shown_to_who_asks_for_sshd():
    plan = Plan("server-2", ())
    assert "Accepted" in engine.command(plan, Wish())
    assert "Accepted" in engine.command(plan, Wish(follow=True))
    assert "Accepted" not in engine.command(plan, Wish(unit="ssh"))


@pytest.mark.parametrize(
    ("zone", "line", "when"),
    [
        ("+0000", '198.18.8.1 h [2026-11-21T12:00:00+00:00] "GET / HTTP/1.1" 200 1', NOON),
        ("+0000", '198.18.8.1 h [2026-11-21T13:00:00+01:00] "GET / HTTP/1.1" 200 1', NOON),
        ("+0000", "2026/11/21 12:00:00 [error] 1#1: *1 upstream timed out", NOON),
        # Read in winter, written in summer: the zone is a name and not today's offset.
        (
            "+0100 /usr/share/zoneinfo/Europe/Madrid",
            "2026/07/21 14:00:00 [error] 1#1: *1 upstream timed out",
            NOON - 123 * 86400,
        ),
        ("+0545 /usr/share/zoneinfo/No/Where", "2026/11/21 17:45:00 [error] 1#1: x", NOON),
        ("+0545 ../../../etc/shadow", "2026/11/21 17:45:00 [error] 1#1: x", NOON),
        ("-0130", "2026/11/21 10:30:00 [error] 1#1: *1 upstream timed out", NOON),
        ("+0100", "[2026-11-21 12:00:00.500000 +0000] I [MSGID: 100030] started", NOON + 0.5),
        ("+0000", "no time in this one", 0.0),
        ("+0000", "2026-99-99 99:99:99 nor in this", 0.0),
    ],
)
def test_file__has_its_times_in_its_own_way(zone, line, when):
    reader = Reader("server-2")
    assert reader.read(f"zone:{zone}") is None
    assert reader.read(f"file:nginx:{line}") == Entry(when, "server-2", "nginx", line)


def test_line_without_a_time__belongs_to_the_one_before_it():
    reader = Reader("a")
    reader.read("file:nginx:2026/11/21 12:00:00 [emerg] bad")
    assert reader.read("file:nginx:  and more of it").time == NOON


def test_what_is_no_log__is_handed_on_as_text():
    reader = Reader("a")
    reader.read("zone:+0000 /usr/share/zoneinfo/Etc/UTC")
    assert reader.read("tail: no space left") == "tail: no space left"
    assert reader.read("") is None


class Run:
    """What nodes say, and that they have ended."""

    stopped_by_hand = False

    def __init__(self, *said):
        self.said = said
        self.commands, self.ended = {"a": ""}, {}

    def lines(self, tick):
        yield from (("a", line) for line in self.said)
        self.ended["a"] = Ended(exit=1)


def test_log_in_that_says_something_of_its_own__is_no_trouble():
    warning, zone = "bash: warning: cannot change locale (tr_TR)", "zone:+0000"
    entry = journal(NOON, "it works", _SYSTEMD_UNIT="uwsgi.service")
    said = filter(None, engine._heard(Run(warning, zone, entry), Wish()))
    assert [each.line for each in said] == ["it works"]


def test_node_that_says_something_in_place_of_its_logs__is_heard():
    said = filter(None, engine._heard(Run("sudo: a password is required"), Wish()))
    assert list(said) == ["a: sudo: a password is required"]


def test_last__are_the_newest_of_all_nodes_in_order():
    heard = [Entry(float(t), n, "u", "") for n, t in (("a", 1), ("a", 4), ("b", 2), ("b", 3))]
    assert [entry.time for entry in engine._last(iter(heard), 3)] == [2.0, 3.0, 4.0]


def test_followed_lines__are_put_in_order_when_one_is_a_little_late(monkeypatch):
    monkeypatch.setattr(engine, "LATE", 0.05)

    def heard():
        yield Entry(2.0, "a", "u", "")
        yield Entry(1.0, "b", "u", "")
        yield None
        time.sleep(0.06)
        yield None
        yield "b does not answer"
        yield Entry(3.0, "a", "u", "")

    said = list(engine._in_order(heard()))
    assert [each if isinstance(each, str) else each.time for each in said] == [
        1.0,
        2.0,
        "b does not answer",
        3.0,
    ]


def test_since__is_a_span_or_a_time_in_utc():
    assert engine.since("", NOON) is None
    assert engine.since("15m", NOON) == NOON - 900
    assert engine.since("2026-11-21 11:00", NOON) == NOON - 3600


def test_since__with_an_offset_is_that_moment_and_not_the_same_digits_in_utc():
    assert engine.since("2026-11-21T11:00+02:00", NOON) == NOON - 3 * 3600


@pytest.mark.parametrize("text", ["999999d", "0001-01-01", "0001-01-01T00:00+14:00"])
def test_since__before_all_clocks_is_the_beginning(text):
    """journalctl takes no negative number."""
    assert engine.since(text, NOON) == 0


def test_since__refuses_what_is_no_time():
    with pytest.raises(TargetError, match="not a time"):
        engine.since("yesterday", NOON)


def test_command__reads_the_files_of_the_unit_that_is_asked_for(three_node):
    plan = plan_node(three_node.node("server-2"), three_node)
    assert "/var/log/nginx/error.log" in engine.command(plan, Wish())
    assert "/var/log/nginx/error.log" in engine.command(plan, Wish(unit="nginx.service"))
    assert "/var/log" not in engine.command(plan, Wish(unit="uwsgi"))


def test_command__reads_what_logrotate_has_just_moved_away_as_well(three_node, tmp_path):
    log = tmp_path / "access.log"
    log.write_text("")
    log.with_name("access.log.1").write_text("2026/11/21 12:00:00 before midnight\n")
    nginx = Service("nginx", logs=(str(log),))
    plan = Plan("server-2", (Planned(nginx, ""),))
    said = subprocess.run(
        ["/bin/sh", "-c", engine.command(plan, Wish(unit="nginx"))],
        env={"PATH": "/nonexistent", "TZ": "Asia/Kathmandu", "LC_ALL": "tr_TR"},
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    assert "file:nginx:2026/11/21 12:00:00 before midnight\n" in said
    assert not said.startswith("zone:+0545")  # the host's, and not the login's


def test_command__quotes_what_was_typed():
    line = engine.command(Plan("a", ()), Wish(unit="x; reboot"))
    assert "'--unit=x; reboot'" in shlex.split(line)[-1]


def test_command__has_nothing_of_the_logins_environment(monkeypatch):
    """SYSTEMD_COLORS would colour the JSON, SYSTEMD_LOG_LEVEL=debug puts lines between."""
    monkeypatch.setenv("SYSTEMD_COLORS", "1")
    line = engine.command(Plan("a", ()), Wish())
    env, _, script = line.partition(" /bin/sh -c ")
    assert script
    said = subprocess.run(["sh", "-c", f"{env} env"], capture_output=True, text=True, check=True)
    names = {each.partition("=")[0] for each in said.stdout.splitlines()}
    assert names == {"PATH", "HOME", "LC_ALL"}


@pytest.mark.parametrize("unit", ["nope", "ngnix", ""])
def test_unit_that_no_node_has__is_refused_with_those_that_are_there(three_node, unit):
    plans = [plan_node(node, three_node) for node in three_node.nodes]
    if not unit:
        engine.refuse_unit(unit, plans)
        return
    with pytest.raises(TargetError) as refused:
        engine.refuse_unit(unit, plans)
    assert refused.value.exit_code == 2
    assert f"--unit {unit}: no such service on these nodes" in str(refused.value)
    assert ('did you mean "nginx"?' in str(refused.value)) == (unit != "nope")
    assert "uwsgi" in refused.value.do
    engine.refuse_unit("nginx", plans)


def test_unit_that_no_node_has__is_refused_before_any_node_is_asked(project):
    """On hosts that are no lab: a connection would be tried."""
    file = project / "inventories" / "mine.yml"
    file.write_text(file.read_text().split("\nlab:")[0] + "\n")
    done = typed("logs:server-2", "--unit", "ngnix", folder=project)
    assert 'no such service on these nodes, did you mean "nginx"?' in done.stderr
    assert (done.returncode, done.touched) == (2, [])
