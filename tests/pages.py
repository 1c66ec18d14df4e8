"""What pages of the documentation show as code, for tests that run it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def blocks(page: str) -> dict[str, list[str]]:
    """Its code blocks by language, in the order of the page."""
    text = (ROOT / page).read_text("utf-8")
    found: dict[str, list[str]] = {}
    for language, code in re.findall(r"\.\. code-block:: (\w+)\n\n((?:   .*\n|\n)+)", text):
        found.setdefault(language, []).append(re.sub(r"(?m)^   ", "", code))
    return found
