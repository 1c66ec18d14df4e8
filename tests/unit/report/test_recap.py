"""The end of every run, in short."""

from __future__ import annotations

import io

import pytest

from nodriza.report import make_report
from nodriza.report.recap import slowest
from nodriza.report.result import NodeResult
from tests.unit.report.runs import live, plain, play, resource


@pytest.fixture(params=["plain", "live at 40", "live at 100"])
def recap(request: pytest.FixtureRequest) -> str:
    if request.param == "plain":
        return plain()
    report, stream = live(width=int(request.param.split()[-1]))
    play(report)
    return stream.getvalue()


def test_recap__counts_per_node(recap: str) -> None:
    rows = [line.split() for line in recap.splitlines()]
    assert ["server-2", "1", "1", "1", "1", "2.5", "s"] in rows
    assert ["video-1", "0", "0", "0", "0", "10.0", "s"] in rows


def test_recap__tells_a_failure_in_full(recap: str) -> None:
    told = recap[recap.index("FAILED  server-2  service:nginx") :]
    assert "at    roles/nginx.py:12\n" in told
    assert 'nginx -t: exit 1\n    | unknown "‹secret:redis›" in nginx.conf:3\n' in told
    assert "kept  /etc/nginx/nginx.conf as before this run; 1 resource after it" in told
    assert "next  fab provision:server-2, once the cause is mended\n" in told


def test_recap__tells_what_kept_us_from_a_node(recap: str) -> None:
    told = recap[recap.index("FAILED  video-1") :]
    assert "at    video-1 (root@198.18.7.21:22)\n    no way to the host: no answer" in told
    assert "kept  nothing was changed on it\n  next  see that it runs\n" in told


def test_recap__ends_with_the_verdict(recap: str) -> None:
    assert recap.splitlines()[-1] == "2 of 2 nodes failed: server-2, video-1 (12.6 s)"


def test_recap__table_fits_forty_columns() -> None:
    report, stream = live(width=40)
    names = ["server-1", "a-node-with-quite-a-long-name"]
    report.start([(name, 1) for name in names])
    report.finish({name: NodeResult(name, seconds=4000) for name in names}, 1, check=False)
    assert max(len(line) for line in stream.getvalue().splitlines()) <= 40


@pytest.mark.parametrize(
    ("changed", "check", "words"),
    [
        (0, False, "nothing to change on 1 node (1.0 s)"),
        (0, True, "nothing to change on 1 node (1.0 s)"),
        (1, False, "1 resource changed on 1 node (1.0 s)"),
        (3, True, "3 resources would change on 1 node (1.0 s)"),
    ],
)
def test_recap__verdict_of_a_good_run(changed: int, check: bool, words: str) -> None:
    stream = io.StringIO()
    report = make_report("plain", stream=stream)
    report.start([("server-1", 3)])
    report.finish({"server-1": NodeResult("server-1", changed=changed)}, 1.0, check)
    assert stream.getvalue().splitlines()[-1] == words


def test_recap__names_the_five_slowest_and_packages_of_one_go_once() -> None:
    many = [resource(f"package:p{number}", seconds=42.0 + number / 1000) for number in range(8)]
    many += [resource(f"command:c{number}", seconds=number) for number in range(8)]
    found = slowest({"server-2": NodeResult("server-2", resources=many)})
    assert [(entry["id"], entry["more"]) for entry in found] == [
        ("package:p0", 7),
        ("command:c7", 0),
        ("command:c6", 0),
        ("command:c5", 0),
        ("command:c4", 0),
    ]


def test_recap__tells_packages_that_failed_together_once() -> None:
    stream = io.StringIO()
    report = make_report("plain", stream=stream)
    many = [resource(f"package:p{number}", "failed", words="apt: no") for number in range(8)]
    report.start([("server-2", 8)])
    report.finish({"server-2": NodeResult("server-2", failed=8, resources=many)}, 1.0, check=False)
    assert "FAILED  server-2  package:p0 and 7 more\n" in stream.getvalue()
    assert stream.getvalue().count("apt: no") == 1
