"""The files of a project as text, wherever they come from: a folder, or a commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath

from nodriza.source.tree import Source

NEVER = {".git", ".venv", "venv", "env", "node_modules", "site-packages", "__pycache__"}
LARGEST = 500_000
"""Bytes of a file that is read. What a person writes is smaller."""


class Files:
    """Names with slashes, relative to the folder that has manage.py; the nearest first."""

    def __init__(self, texts: Mapping[str, Callable[[], str]]) -> None:
        self._texts = texts
        self._read: dict[str, str] = {}
        self.names = tuple(sorted(texts, key=lambda name: (name.count("/"), name)))

    @classmethod
    def of_folder(cls, folder: Path) -> Files:
        """Everything below a folder that a person may have written."""
        paths = (path for path in folder.rglob("*") if path.is_file())
        return cls(
            {
                path.relative_to(folder).as_posix(): partial(_decoded, path.read_bytes)
                for path in paths
                if not NEVER.intersection(path.relative_to(folder).parts)
                and path.stat().st_size <= LARGEST
            }
        )

    @classmethod
    def of_source(cls, source: Source) -> Files:
        """What would be deployed."""
        return cls(
            {
                entry.name: partial(_decoded, entry.read)
                for entry in source.entries
                if entry.content.size <= LARGEST
                and not NEVER.intersection(PurePosixPath(entry.name).parts)
            }
        )

    def __contains__(self, name: object) -> bool:
        return name in self._texts

    def text(self, name: str) -> str:
        """The content of a file that is there."""
        if name not in self._read:
            self._read[name] = self._texts[name]()
        return self._read[name]

    def named(self, last: str) -> Iterator[str]:
        """Those whose last part is this, or ends so where it begins with a dot."""
        for name in self.names:
            own = PurePosixPath(name).name
            if own == last or (last.startswith(".") and own.endswith(last)):
                yield name

    def module(self, dotted: str) -> str:
        """The file of a module; empty if it is not the project's."""
        base = dotted.replace(".", "/")
        return next((each for each in (f"{base}.py", f"{base}/__init__.py") if each in self), "")


def dotted(name: str) -> str:
    """How Python names the module in a file."""
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _decoded(read: Callable[[], bytes]) -> str:
    return read().decode("utf-8", "replace")
