"""What the one screen says of a node, and when it is red."""

from __future__ import annotations

import io
import json
import time

import pytest
from rich.console import Console

from nodriza.agent import answers
from nodriza.errors import ConnectionFailed
from nodriza.host.host import Host
from nodriza.host.patience import patiently
from nodriza.report.result import NodeResult
from nodriza.resources import Health
from nodriza.watch import status
from nodriza.watch.health import healthy, wrong

STATE = {
    "links": {"/opt/videoteca/current": "/srv/videoteca/releases/abc"},
    "uptime": 90000,
    "load": 0.52,
    "memory": 41,
    "disk": 12,
    "owed": [],
    "clock": 1000.0,
    "mounts": {"/srv/videoteca": 40},
    "certificates": {},
    "marks": {Health.AWAY: []},
    "health": {},
    "reboot": "",
    "system": "Debian GNU/Linux 12 (bookworm)",
    "versions": {"nginx": "1.22.1-9+deb12u1", "mariadb-server": "1:10.11.6-0+deb12u1"},
    "last_run": {
        "when": "2026-11-21T08:15:00Z",
        "who": "ana",
        "what": "provision:server-2",
        "counts": {"changed": 0, "failed": 0},
    },
}
NGINX = {"id": "service:nginx", "status": "ok"}


def node(name: str = "server-2", *resources: dict, **state) -> NodeResult:
    facts = {"event": "facts", "state": {**STATE, **state}}
    return NodeResult(name, facts=facts, received=1000.0, resources=list(resources) or [NGINX])


def screen(cluster, *results: NodeResult, width: int = 160) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(status.screen(cluster, {result.node: result for result in results}, width))
    return console.export_text()


def ends_in(days: int) -> dict[str, str]:
    end = time.gmtime(time.time() + days * 86400 + 3600)
    return {"/etc/nginx/tls/site.pem": time.strftime("%b %d %H:%M:%S %Y GMT", end)}


def test_timers__are_told_with_their_last_run_and_the_next(three_node):
    timers = {
        "videoteca-process-tick.service": {"last": 990.0, "next": 1050.4, "result": "success"},
        "videoteca-process-long.service": {"last": 400.0, "next": 90000.0, "result": ""},
        "videoteca-process-new.service": {"last": 0, "next": 1001.0, "result": ""},
    }
    result = node("worker-1", timers=timers)
    said = screen(three_node, result)
    assert "tick on worker-1: last run 10 s ago, success; next in 50 s" in said
    assert "long on worker-1: last run 10 min ago, at work; next in 24 h" in said
    assert "new on worker-1: last run none, not yet; next in 1 s" in said
    assert healthy(result)


def test_service_that_ends_and_begins_again__is_ill_in_between_too():
    gap = {"steady": [False, True]}
    result = node("a", {"id": "service:x", "status": "changed", "gap": gap})
    assert [*wrong(result)] == ["service:x ends and begins again: fab logs:a --unit x"]


def test_timer_whose_last_run_failed__is_ill():
    timers = {"x.service": {"last": 400.0, "next": 0, "result": "exit-code"}}
    words = "x.service failed 10 min ago (exit-code): fab logs:a --unit x"
    assert [*wrong(node("a", timers=timers))] == [words]


def test_node_that_is_well__is():
    assert healthy(node())


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (node("a", {"id": "service:nginx", "status": "changed"}), "service:nginx"),
        (node(owed=["service:uwsgi"]), "service:uwsgi is owed a restart"),
        (node(mounts={"/srv/a": {"error": "no answer within 3 s"}}), "/srv/a: no answer within"),
        (node(certificates=ends_in(5)), "site.pem ends in 5 days"),
        (node(certificates=ends_in(-3)), "site.pem ended 3 days ago"),
        (node(clock=700.0), "the clock is -300 s off"),
        (
            node(health={"health:x": [503, "the share is away"]}),
            "does not serve: 503 the share is",
        ),
        (node(health={"health:x": [0, "refused"]}), "does not serve: no answer: refused"),
        (node(health={"health:x": {"error": "no answer"}}), "does not serve: no answer"),
    ],
)
def test_what_is_wrong__is_said_in_words(three_node, result, words):
    assert not healthy(result)
    assert words in screen(three_node, result)
    assert words in screen(three_node, result, width=60)


def test_drained_node__says_so_and_is_well(three_node):
    result = node(marks={Health.AWAY: ["operator"]})
    assert healthy(result)
    assert "drained (operator)" in screen(three_node, result)


def test_last_run__is_told_also_when_it_changed_nothing(three_node):
    text = screen(three_node, node())
    assert "2026-11-21 08:15 ana: provision, nothing changed" in text


def test_versions_of_the_services__are_told_once_with_their_nodes(three_node):
    text = screen(
        three_node,
        node("server-1", {"id": "service:mariadb", "status": "ok"}),
        node("server-2"),
        node("server-3"),
    )
    assert "\nDebian GNU/Linux 12 (bookworm): all" in text
    assert "\nnginx 1.22.1: server-2, server-3" in text
    assert "\nmariadb-server 10.11.6: server-1" in text


def test_certificate_with_time_left__is_told_and_well(three_node):
    result = node(certificates=ends_in(60))
    assert healthy(result)
    assert "certificate ends in 60 days: all" in screen(three_node, result)


def test_reboot_that_is_due__is_told_with_its_nodes_and_is_no_error(three_node):
    due = node("server-3", reboot="kernel 6.1.0-20-amd64 (6.1.0-18-amd64 runs)")
    assert healthy(due)
    text = screen(three_node, node(), due)
    assert "\na reboot is due, for kernel 6.1.0-20-amd64 (6.1.0-18-amd64 runs): server-3\n" in text
    assert "reboot" not in screen(three_node, node())


DEBIAN = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)"


@pytest.mark.parametrize(
    ("running", "kernels", "files", "words"),
    [
        ("6.1.0-18-amd64", ["6.1.0-18-amd64"], {}, ""),
        ("6.1.0-18-amd64", ["6.1.0-9-amd64", "6.1.0-18-amd64"], {}, ""),
        ("6.1.0-9-amd64", ["6.1.0-9-amd64", "6.1.0-18-amd64"], {}, "kernel 6.1.0-18-amd64"),
        ("6.1.0-18-cloud-amd64", ["6.1.0-18-amd64", "6.1.0-18-cloud-amd64"], {}, ""),
        ("6.12.48+deb13-amd64", ["6.12.57+deb13-amd64"], {}, "6.12.48+deb13-amd64 runs"),
        ("6.1.0-18-amd64", [], {"/run/reboot-required": ""}, "/run/reboot-required"),
        (
            "6.1.0-18-amd64",
            [],
            {"/run/reboot-required": "", "/run/reboot-required.pkgs": "libc6\ndbus\nlibc6\n"},
            "libc6, dbus",
        ),
        # A container runs its host's kernel, whatever somebody has installed in it.
        ("6.1.0-9-amd64", ["6.1.0-18-amd64"], {"/run/systemd/container": "lxc"}, ""),
        ("6.18.44-builder", [], {}, ""),
    ],
)
def test_reboot__waits_for_a_kernel_that_does_not_run_yet(
    tmp_path, running, kernels, files, words
):
    host = Host(str(tmp_path))
    paths = {f"/boot/vmlinuz-{kernel}": "" for kernel in kernels} | files
    paths["/proc/sys/kernel/osrelease"] = f"{running}\n"
    for path, text in paths.items():
        place = tmp_path / path[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    said = answers.reboot_waits_for(host)
    assert words in said if words else said == ""


def test_reboot__waits_for_a_new_build_of_the_kernel_that_runs(tmp_path, monkeypatch):
    host = Host(str(tmp_path))
    for path, text in (
        ("version", f"Linux version x {DEBIAN}\n"),
        ("sys/kernel/osrelease", "x\n"),
    ):
        (tmp_path / "proc" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "proc" / path).write_text(text)
    for installed, due in (("6.1.76-1", False), ("6.1.90-1", True), ("", False)):
        monkeypatch.setattr(
            answers,
            "_versions",
            lambda _, many, found=installed: {many[0]: found} if found else {},
        )
        assert bool(answers.reboot_waits_for(host)) == due


def test_node_that_does_not_answer__hides_no_other(three_node):
    away = NodeResult("video-1", error=ConnectionFailed("no way to the host"))
    text = screen(three_node, node(), away)
    assert "no way to the host" in text
    assert "1 of 1 well" in text
    said = json.loads(status.as_json({"video-1": away, "server-2": node(clock=1007.0)}))
    assert said["video-1"]["healthy"] is False
    assert said["server-2"]["clock_lag"] == 7.0


def test_question_that_hangs__costs_its_patience_once_and_hides_no_other():
    def broken():
        raise OSError(107, "Transport endpoint is not connected")

    began = time.monotonic()
    hang = {str(number): lambda: time.sleep(5) for number in range(4)}
    found = patiently({**hang, "well": lambda: 7, "broken": broken}, 0.2)
    assert time.monotonic() - began < 2
    assert found["well"] == 7
    assert found["broken"] == {"error": "Transport endpoint is not connected"}
    assert found["0"] == {"error": "no answer within 0.2 s"}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(7, "7 s"), (3361, "56 min"), (3600, "1 h"), (86_399, "23 h"), (90_000, "1 d 1 h")],
)
def test_span__can_be_read_in_one_way_only(seconds, words):
    assert status._span(seconds) == words


def test_piped__has_no_blanks_at_the_ends_of_lines(three_node, capsys):
    status.show(three_node, {"server-2": node(), "server-3": node("server-3")})
    said = capsys.readouterr().out
    assert "server-3" in said
    assert all(line == line.rstrip() for line in said.splitlines())


RECORD = [
    {"release": "abc", "at": 1.0, "how": "deploy", "commit": "0123456789abcdef"},
    {"release": "def", "at": 2.0, "how": "deploy", "commit": ""},
]


def has(name: str, release: str, served: list | None = None) -> NodeResult:
    result = node(name, links={"/opt/videoteca/current": f"/opt/videoteca/releases/{release}"})
    about = {"served": served or [], "current": release, "seals": {}, "venvs": {}, "working": []}
    about["pythons"] = {}
    result.facts["releases"] = about
    return result


def test_release__is_told_with_its_commit_which_the_central_node_knows(three_node):
    shown = screen(three_node, has("server-1", "abc", RECORD), has("server-2", "abc"))
    assert "commit 0123456789 (release abc): all" in shown
    assert "not all have the same release" not in shown


def test_nodes_with_different_releases__are_told_apart(three_node):
    nodes = [has("server-1", "abc", RECORD), has("server-2", "abc"), has("server-3", "def")]
    shown = screen(three_node, *nodes)
    assert "commit 0123456789 (release abc): server-1, server-2" in shown
    assert "release def: server-3" in shown
    assert "not all have the same release. Next: fab provision" in shown
    told = json.loads(status.as_json({result.node: result for result in nodes}))
    assert [(each["release"], each["commit"]) for each in told.values()] == [
        ("abc", "0123456789"),
        ("abc", "0123456789"),
        ("def", ""),
    ]


def test_cluster_without_a_release__is_not_said_to_differ(three_node):
    shown = screen(three_node, *(node(n, links={"/opt/videoteca/current": None}) for n in "ab"))
    assert "not all have the same release" not in shown
    assert "(release" not in shown
