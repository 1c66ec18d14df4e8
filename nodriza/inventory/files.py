"""Which inventories there are; read by every command line, so it imports next to nothing."""

from __future__ import annotations

from pathlib import Path

SUFFIXES = (".yml", ".yaml")


def find_inventories(folder: Path) -> dict[str, Path]:
    """The clusters in a folder: the word on the command line and its file.

    A word is a file's name, to the letter: ``prod_eu`` and ``prod-eu`` are two. Where two
    files have one word (``prod.yml``, ``prod.yaml``) it stands for none of them.
    """
    return {word: files[0] for word, files in _by_word(folder).items() if len(files) == 1}


def find_doubles(folder: Path) -> dict[str, list[Path]]:
    """Words that two files have; the secrets beside them would be the same, too."""
    return {word: files for word, files in _by_word(folder).items() if len(files) > 1}


def _by_word(folder: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for file in sorted(folder.iterdir()) if folder.is_dir() else []:
        hidden = file.name.startswith(".") or file.stem.endswith(".example")
        if file.suffix in SUFFIXES and not hidden:
            found.setdefault(file.stem, []).append(file)
    return found
