"""What no report shows: values of secrets."""

from __future__ import annotations

import io
from typing import Any

import pytest

from nodriza.report import make_report
from tests.unit.report.runs import VALUE, play, redact


@pytest.mark.parametrize("kind", ["plain", "json", "live"])
def test_every_report__shows_tokens_in_the_place_of_values(kind: Any) -> None:
    stream = io.StringIO()
    play(make_report(kind, diff=True, redact=redact, stream=stream))
    assert VALUE not in stream.getvalue()
    assert "secret:redis" in stream.getvalue()
