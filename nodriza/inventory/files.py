"""Which inventories there are; read by every command line, so it imports next to nothing."""

from __future__ import annotations

from pathlib import Path


def find_inventories(folder: Path) -> dict[str, Path]:
    """The clusters in a folder: the word on the command line and its file."""
    files = sorted(folder.glob("*.yml")) if folder.is_dir() else []
    return {file.stem: file for file in files if not file.name.endswith(".example.yml")}
