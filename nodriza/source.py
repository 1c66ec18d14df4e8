"""The application's source: which files travel, and what a person should know of it.

In a git checkout git decides, and what it ignores stays here. Elsewhere everything travels
but what looks as if it should not; ``app.include`` of the inventory names what goes all the
same.
"""

from __future__ import annotations

import fnmatch
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nodriza import git
from nodriza.errors import SourceError
from nodriza.git import Entry
from nodriza.report.words import count

NEVER = frozenset({".git", "__pycache__", "node_modules", ".pytest_cache", ".mypy_cache"})
"""Folders that can be made again, and are no source."""
SECRETIVE = (
    *(".env", ".env.*", ".envrc", "*.pem", "*.key", "*.p12", "*.pfx", "*.kdbx", "id_rsa*"),
    *("id_ed25519*", "id_ecdsa*", ".netrc", ".pgpass", ".my.cnf", ".htpasswd", "*.age"),
    *("credentials.json", "*service-account*.json"),
    *("*.sqlite3", "*.sqlite", "*.db", "*.sql", "*.sql.*", "*.dump", "*.rdb"),
)
"""Names of keys, of dumps and of databases (shell patterns), without regard to case."""
HARMLESS = (".env.example", ".env.sample", ".env.template", ".env.dist")
LFS = b"version https://git-lfs.github.com/spec/"
SHOWN = 8


@dataclass(frozen=True)
class Source:
    """The files, sorted by name; ``commit`` is empty without git; ``notes`` are for a person."""

    entries: tuple[Entry, ...]
    commit: str = ""
    notes: tuple[str, ...] = ()
    uncommitted: int = 0

    def text_of(self, name: str) -> str | None:
        """The content of one file; ``None`` if it does not travel."""
        found = next((entry for entry in self.entries if entry.name == name), None)
        return None if found is None else found.read().decode("utf-8", "replace")

    @property
    def label(self) -> str:
        """The commit as people write it; nothing without one."""
        more = f" and {count(self.uncommitted, 'uncommitted file')}" if self.uncommitted else ""
        return f"commit {self.commit[:10]}{more}" if self.commit else ""


def read_source(folder: Path, ref: str = "", include: Sequence[str] = ()) -> Source:
    """What travels of ``folder``: at ``ref``, a commit of git's, or as it is on the disk.

    ``include``: files and folders that travel although git ignores them, or although they
    look like secrets. Raises ``SourceError``.
    """
    if not folder.is_dir():
        raise SourceError(f"the application's source is not there: {folder}")
    if git.is_checkout(folder):
        found = git.commit(folder, ref) if ref else git.working_tree(folder)
        return _of_git(folder, found, ref, include)
    if ref:
        raise SourceError(
            f"--ref {ref}: this is no git checkout",
            where=str(folder),
            kept="nothing was sent",
            do="fab deploy, which takes the files as they are",
        )
    return _of_folder(folder, include)


def _of_git(folder: Path, found: git.Checkout, ref: str, include: Sequence[str]) -> Source:
    there = {entry.name: entry for entry in found.entries}
    more = {entry.name: entry for entry in _included(folder, include)}
    entries = tuple(sorted({**more, **there}.values(), key=lambda entry: entry.name))
    if not entries:
        raise SourceError(
            "git tracks no file here" + (f" at {ref}" if ref else ", and ignores the folder"),
            where=str(folder),
            kept="nothing was sent",
        )
    _refuse_pointers(folder, entries)
    left = [name for name in found.ignored if not _is_included(name, include)]
    notes = [
        *_note("changed and not committed, deployed as they are", found.changed),
        *_note("new to git, deployed as they are", found.new),
        *_note("not of git, deployed because app.include names them", sorted(more)),
        *_note("ignored by git, and left out", _worth_saying(left)),
    ]
    uncommitted = len({*found.changed, *found.new})
    return Source(entries, found.commit, tuple(notes), uncommitted)


def _of_folder(folder: Path, include: Sequence[str]) -> Source:
    entries = sorted(_walk(folder, folder), key=lambda entry: entry.name)
    doubtful = [
        entry.name
        for entry in entries
        if is_secretive(entry.name) and not _is_included(entry.name, include)
    ]
    environments = [
        str(path.parent.relative_to(folder))
        for path in sorted(folder.rglob("pyvenv.cfg"))
        if not _is_included(str(path.relative_to(folder)), include)
    ]
    if doubtful or environments:
        raise SourceError(
            "without git everything here would travel, and these look as if they should not: "
            + _some([*doubtful, *(f"{name}/ (a Python environment)" for name in environments)]),
            where=str(folder),
            kept="nothing was sent",
            do="git init and a .gitignore; or move them away; or name them in app.include",
        )
    top = Counter(PurePosixPath(entry.name).parts[0] for entry in entries)
    shown = [
        f"{name}/ ({number})" if (folder / name).is_dir() else name
        for name, number in sorted(top.items())
    ]
    return Source(tuple(entries), notes=tuple(_note("no git here: these travel", shown)))


def is_secretive(name: str) -> bool:
    """Whether a file is probably a secret or a database, by its name."""
    last = PurePosixPath(name).name.lower()
    return last not in HARMLESS and any(fnmatch.fnmatchcase(last, each) for each in SECRETIVE)


def _walk(folder: Path, top: Path) -> Iterator[Entry]:
    for path in top.iterdir():
        name = str(path.relative_to(folder))
        if path.is_symlink() or path.is_file():
            yield git.on_disk(folder, name)
        elif path.is_dir() and path.name not in NEVER:
            yield from _walk(folder, path)


def _included(folder: Path, include: Sequence[str]) -> Iterator[Entry]:
    for name in include:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            yield from _walk(folder, path)
        elif os.path.lexists(path):
            yield git.on_disk(folder, name.rstrip("/"))


def _is_included(name: str, include: Sequence[str]) -> bool:
    return any(f"{name.rstrip('/')}/".startswith(f"{each.rstrip('/')}/") for each in include)


def _refuse_pointers(folder: Path, entries: Sequence[Entry]) -> None:
    """Files that Git LFS keeps elsewhere are 130 bytes that say so."""
    marked = [entry for entry in entries if PurePosixPath(entry.name).name == ".gitattributes"]
    if not any(b"filter=lfs" in entry.read() for entry in marked):
        return
    pointers = [entry.name for entry in entries if entry.read()[: len(LFS)] == LFS]
    if pointers:
        raise SourceError(
            f"these are pointers of Git LFS, and not the files themselves: {_some(pointers)}",
            where=str(folder),
            kept="nothing was sent",
            do="git lfs pull, and deploy the working tree (without --ref)",
        )


def _worth_saying(names: Sequence[str]) -> list[str]:
    """Without what Python and editors leave behind."""
    trash = (*NEVER, ".venv", "venv", ".ruff_cache", ".DS_Store", ".idea", ".vscode")
    return [
        name
        for name in names
        if not set(PurePosixPath(name).parts) & set(trash) and not name.endswith((".pyc", "~"))
    ]


def _note(what: str, names: Sequence[str]) -> list[str]:
    return [f"{what}: {_some(names)}"] if names else []


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
