"""Whether what an inventory names is on this computer, and what is near it if not."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path


def is_there(look: Callable[[], bool]) -> bool:
    """Whether a look at the disk says yes; an error is a no."""
    try:
        return look()
    except (OSError, ValueError):  # a name that is too long, a folder that is closed to us
        return False


def near_path(path: Path, fits: Callable[[Path], bool]) -> str:
    """The near miss in the folder where ``path`` would be, of those that could be meant."""
    try:
        there = sorted(entry.name for entry in path.parent.iterdir() if fits(entry))
    except (OSError, ValueError):
        return ""
    near = difflib.get_close_matches(path.name, there, n=1)
    return f', did you mean "{path.with_name(near[0]).name}"?' if near else ""
