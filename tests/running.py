"""A program that runs while a test goes on."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

HEARS_CTRL_C = ("env", "--default-signal=INT")
"""env(1): what a shell has started in the background ignores it, and so do its children."""


@contextlib.contextmanager
def running(argv: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Its output in pipes of text; killed at the end if it still runs."""
    pipe, argv = subprocess.PIPE, (*HEARS_CTRL_C, *argv)
    with subprocess.Popen(argv, stdout=pipe, stderr=pipe, text=True, **options) as process:
        try:
            yield process
        finally:
            process.kill()
