"""Which version of the operator's repository a run is made from."""

from __future__ import annotations

import subprocess
from pathlib import Path


def revision(path: Path) -> str:
    """The commit that the folder of ``path`` is at, "1a2b3c4", with a plus sign when files
    differ from it; nothing outside of git.
    """
    commit = _git(path.parent, "rev-parse", "--short", "HEAD")
    return commit + ("+" if commit and _git(path.parent, "status", "--porcelain") else "")


def _git(folder: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
