"""What a run looks like in a log."""

from __future__ import annotations

import io
import subprocess
import sys

from nodriza.report import make_report
from tests.unit.report.runs import plain, resource


def test_plain__has_a_line_for_what_changed_failed_or_was_skipped_and_none_for_the_rest() -> None:
    said = plain()
    assert "server-2  changed  file:/etc/nginx/nginx.conf (mode 0644 → 0600, content)\n" in said
    assert "server-2  failed   service:nginx (nginx -t: exit 1)\n" in said
    assert (
        "server-2  skipped  service:timer and all after it (after service:nginx failed)\n" in said
    )
    assert "server-2  restored  /etc/nginx/nginx.conf\n" in said
    assert "server-2  owed     service:uwsgi (reload, due since 2026-01-01" in said
    assert "directory:/srv" not in said


def test_plain__says_would_change_in_check_mode() -> None:
    said = plain(check=True)
    assert "server-2  would change  file:/etc/nginx/nginx.conf" in said
    assert "  changed  " not in said


def test_plain__writes_the_same_lines_for_the_same_run() -> None:
    assert plain() == plain()


def test_plain__shows_a_diff_only_when_asked() -> None:
    assert "+pass no" not in plain()
    assert "    +pass no\n" in plain(diff=True)


def test_plain__does_not_import_rich() -> None:
    code = "import sys, nodriza.report as r; r.make_report('plain'); print('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_what_is_planned_no_more__goes_or_stays_and_a_check_has_the_same_words() -> None:
    gone = resource("file:/etc/a", gap={"left": [True, False]})
    kept = {"event": "kept", "things": {"file:/etc/b": "somebody else has changed it"}}
    said = {}
    for check in (True, False):
        stream = io.StringIO()
        report = make_report("plain", stream=stream)
        report.start([("server-2", 1)])
        report.event("server-2", {"event": "start", "resources": 1, "check": check})
        report.event("server-2", kept)
        report.event("server-2", gone)
        said[check] = stream.getvalue().splitlines()
    stays = "server-2  kept     file:/etc/b (not planned any more, somebody else has changed it)"
    assert said[False] == [stays, "server-2  removed  file:/etc/a (not planned any more)"]
    assert said[True] == [stays, "server-2  would remove  file:/etc/a (not planned any more)"]
