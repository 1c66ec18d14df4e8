"""Which report it is, and readers that go away or read no Unicode."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nodriza.report import make_report
from nodriza.report.jsonl import JsonReport
from nodriza.report.live import LiveReport
from nodriza.report.plain import PlainReport
from tests.unit.conftest import ROOT
from tests.unit.report.runs import (
    Terminal,
    play,
    redact,
)


@pytest.mark.parametrize(
    ("kind", "stream", "environment", "made"),
    [
        ("auto", Terminal, {}, LiveReport),
        ("auto", Terminal, {"CI": "true"}, PlainReport),
        ("auto", Terminal, {"TERM": "dumb"}, PlainReport),
        ("auto", io.StringIO, {}, PlainReport),
        ("live", io.StringIO, {"CI": "true"}, LiveReport),
        ("json", Terminal, {}, JsonReport),
    ],
)
def test_make_report__fits_what_reads_it(
    monkeypatch: pytest.MonkeyPatch,
    kind: Any,
    stream: Callable[[], io.StringIO],
    environment: dict[str, str],
    made: type,
) -> None:
    for name in ("CI", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert type(make_report(kind, stream=stream())) is made


@pytest.mark.parametrize("kind", ["plain", "json"])
def test_failure__names_the_command_that_was_typed_as_the_next_one(kind: Any) -> None:
    stream = io.StringIO()
    play(make_report(kind, stream=stream, again="fab production deploy"))
    assert "fab production deploy, once the cause is mended" in stream.getvalue()


@pytest.mark.parametrize("kind", ["plain", "json", "live"])
def test_broken_pipe__ends_the_output_and_not_the_run(kind: str, tmp_path: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.unit.report.runs import make_report, play
for _ in range(50):
    play(make_report({kind!r}))
open({str(tmp_path / "end")!r}, "w").close()
"""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "end").exists()


def test_stream_without_unicode__gets_the_nearest_there_is() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    play(make_report("plain", redact=redact, stream=stream))
    stream.seek(0)
    said = stream.read()
    assert "mode 0644 > 0600" in said
    assert "<secret:redis>" in said
