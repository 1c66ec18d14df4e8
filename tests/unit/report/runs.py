"""A run that goes wrong in every way, played to a report."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from nodriza.errors import ConnectionFailed
from nodriza.report import Report, make_report
from nodriza.report.clean import Output
from nodriza.report.live import LiveReport
from nodriza.report.result import NodeResult

VALUE = "hunter2hunter2"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def redact(text: str) -> str:
    return text.replace(VALUE, "‹secret:redis›")


def resource(name: str, status: str = "changed", **more: Any) -> dict[str, Any]:
    event = {"event": "resource", "id": name, "status": status, "gap": {}, "diff": "", "words": ""}
    return {**event, "seconds": 0.0, "origin": "roles/nginx.py:12", **more}


CONF = resource(
    "file:/etc/nginx/nginx.conf",
    gap={"mode": ["0644", "0600"], "sha256": ["a" * 64, "b" * 64]},
    diff=f"--- old\n+++ new\n-pass {VALUE}\n+pass no",
)
NGINX = resource(
    "service:nginx", "failed", words=f'nginx -t: exit 1\nunknown "{VALUE}" in nginx.conf:3'
)
RESTORED = {"event": "restored", "unit": "nginx", "paths": ["/etc/nginx/nginx.conf"]}
TIMER = resource("service:timer", "skipped", words="after service:nginx failed")
QUIET = resource("directory:/srv", "ok")
NO_WAY = ConnectionFailed(
    "no way to the host: no answer within 10 s",
    where="video-1 (root@198.18.7.21:22)",
    kept="nothing was changed on it",
    do="see that it runs",
)


def play(report: Report, *, check: bool = False, finish: bool = True) -> dict[str, NodeResult]:
    """A run in which server-2 rejects its nginx.conf and video-1 can't be reached."""
    bad = NodeResult("server-2", ok=1, changed=1, failed=1, skipped=1, seconds=2.5)
    bad.resources = [QUIET, CONF, NGINX, TIMER]
    results = {"server-2": bad, "video-1": NodeResult("video-1", error=NO_WAY, seconds=10.0)}
    report.start([("server-2", 4), ("video-1", 7)])
    report.event("server-2", {"event": "connecting"})
    report.event("video-1", {"event": "connecting"})
    report.event("server-2", {"event": "start", "resources": 4, "check": check})
    owed = {"event": "owed", "id": "service:uwsgi", "action": "reload", "since": "2026-01-01"}
    report.event("server-2", owed)
    for event in (QUIET, CONF, RESTORED, NGINX, TIMER):
        report.event("server-2", event)
    report.event("server-2", {"event": "end"})
    if finish:
        for name, result in results.items():
            report.done(name, result)
        report.finish(results, 12.6, check)
    return results


def plain(*, diff: bool = False, check: bool = False) -> str:
    stream = io.StringIO()
    play(make_report("plain", diff=diff, redact=redact, stream=stream), check=check)
    return stream.getvalue()


def live(width: int = 100, height: int = 24) -> tuple[LiveReport, io.StringIO]:
    stream = io.StringIO()
    out = Output(stream, redact)
    file: Any = out
    console = Console(file=file, width=width, height=height, force_terminal=False)
    ticks = iter(range(10_000))
    report = LiveReport(
        out, diff=False, again="fab provision:{node}", console=console, clock=lambda: next(ticks)
    )
    return report, stream


def moving_part(report: LiveReport) -> list[str]:
    lines = report.console.render_lines(report, pad=False)
    return ["".join(segment.text for segment in line) for line in lines]
