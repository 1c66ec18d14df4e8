"""The files and commands that docs/own-repository.rst shows; tests use those very ones."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "own-repository.rst"


def shown(name: str) -> str:
    """The code block with that ``:name:``."""
    found = re.search(
        rf"^\.\. code-block:: \w+\n   :name: {re.escape(name)}\n\n((?:   .*\n|\n)+)",
        PAGE.read_text("utf-8"),
        re.MULTILINE,
    )
    assert found, f"no block {name} in {PAGE.name}"
    return textwrap.dedent(found[1]).strip("\n") + "\n"


def commands() -> list[str]:
    """What the shell blocks type, line by line."""
    blocks = re.findall(
        r"^\.\. code-block:: sh\n\n((?:   .*\n|\n)+)", PAGE.read_text("utf-8"), re.MULTILINE
    )
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]
