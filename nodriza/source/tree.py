"""The application's source: which files travel, and what a person should know of it.

In a git checkout git decides, and what it ignores stays here. Elsewhere everything travels
but what looks as if it should not; ``app.include`` of the inventory names what goes all the
same.
"""

from __future__ import annotations

import fnmatch
import functools
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nodriza import alive
from nodriza.errors import SourceError
from nodriza.source import git
from nodriza.source.git import EXECUTABLE, FILE, LINK, Entry
from nodriza.source.spool import PIECE, Spool
from nodriza.wording import count

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
    """The files, sorted by name; ``commit`` is empty without git; ``notes`` are for a person.

    It travels in parts: the first is ``manifest``, the others are the contents of ``entries``,
    in order. ``sha256`` names all of it.
    """

    entries: tuple[Entry, ...]
    commit: str = ""
    notes: tuple[str, ...] = ()
    uncommitted: int = 0

    def text_of(self, name: str) -> str | None:
        """The content of one file; ``None`` if it does not travel."""
        found = next((entry for entry in self.entries if entry.name == name), None)
        return None if found is None else found.read().decode("utf-8", "replace")

    @functools.cached_property
    def manifest(self) -> bytes:
        """JSON: name, mode, size in bytes and SHA-256 of each file.

        The same for the same files. Of the modes only who may execute counts, and no times and
        no owners.
        """
        rows = [
            [
                entry.name,
                entry.mode if entry.mode in (EXECUTABLE, LINK) else FILE,
                entry.content.size,
                entry.content.sha256,
            ]
            for entry in self.entries
        ]
        return json.dumps(rows, separators=(",", ":")).encode()

    @functools.cached_property
    def sha256(self) -> str:
        """Of the manifest, which has those of all files in it."""
        return hashlib.sha256(self.manifest).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of all contents."""
        return sum(entry.content.size for entry in self.entries)

    def size_of(self, parts: Sequence[tuple[int, int]]) -> int:
        """Bytes of some parts: first and last of each range."""
        sizes = [len(self.manifest), *(entry.content.size for entry in self.entries)]
        return sum(sum(sizes[first : last + 1]) for first, last in parts)

    def pieces(self, parts: Sequence[tuple[int, int]]) -> Iterator[bytes]:
        """The bytes of some parts, a mebibyte at a time and at most."""
        for first, last in parts:
            for number in range(first, last + 1):
                if number:
                    yield from self.entries[number - 1].content.pieces()
                    continue
                for at in range(0, len(self.manifest), PIECE):
                    yield self.manifest[at : at + PIECE]

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
    if ref and not git.is_checkout(folder):
        raise SourceError(
            f"--ref {ref}: this is no git checkout",
            where=str(folder),
            kept="nothing was sent",
            do="fab deploy, which takes the files as they are",
        )
    spool = Spool()
    try:
        with alive.waiting(lambda: f"the source is read: {spool.size >> 20} MB", early=True):
            if not git.is_checkout(folder):
                return _of_folder(folder, include, spool)
            found = git.commit(folder, ref, spool) if ref else git.working_tree(folder, spool)
            return _of_git(folder, found, ref, include, spool)
    except OSError as error:  # a folder that goes away, or can't be entered
        raise SourceError(
            f"it can't be read: {error.strerror}",
            where=str(error.filename or folder),
            kept="nothing was sent",
        ) from None


def _of_git(
    folder: Path, found: git.Checkout, ref: str, include: Sequence[str], spool: Spool
) -> Source:
    there = {entry.name: entry for entry in found.entries}
    more = {entry.name: entry for entry in _included(folder, include, spool)}
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


def _of_folder(folder: Path, include: Sequence[str], spool: Spool) -> Source:
    names = sorted(_walk(folder, folder))
    doubtful = [name for name in names if is_secretive(name) and not _is_included(name, include)]
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
    top = Counter(PurePosixPath(name).parts[0] for name in names)
    shown = [
        f"{name}/ ({number})" if (folder / name).is_dir() else name
        for name, number in sorted(top.items())
    ]
    entries = tuple(git.on_disk(folder, name, spool) for name in names)
    return Source(entries, notes=tuple(_note("no git here: these travel", shown)))


def is_secretive(name: str) -> bool:
    """Whether a file is probably a secret or a database, by its name."""
    last = PurePosixPath(name).name.lower()
    return last not in HARMLESS and any(fnmatch.fnmatchcase(last, each) for each in SECRETIVE)


def _walk(folder: Path, top: Path) -> Iterator[str]:
    """The names of all files and links below ``top``, from ``folder`` on."""
    for path in top.iterdir():
        if path.is_symlink() or path.is_file():
            yield str(path.relative_to(folder))
        elif path.is_dir() and path.name not in NEVER:
            yield from _walk(folder, path)


def _included(folder: Path, include: Sequence[str], spool: Spool) -> Iterator[Entry]:
    for name in include:
        path = folder / name
        names: Sequence[str] = ()
        if path.is_dir() and not path.is_symlink():
            names = list(_walk(folder, path))
        elif os.path.lexists(path):
            names = [name.rstrip("/")]
        yield from (git.on_disk(folder, each, spool) for each in names)


def _is_included(name: str, include: Sequence[str]) -> bool:
    return any(f"{name.rstrip('/')}/".startswith(f"{each.rstrip('/')}/") for each in include)


def _refuse_pointers(folder: Path, entries: Sequence[Entry]) -> None:
    """Files that Git LFS keeps elsewhere are 130 bytes that say so."""
    marked = [entry for entry in entries if PurePosixPath(entry.name).name == ".gitattributes"]
    if not any(b"filter=lfs" in entry.read() for entry in marked):
        return
    begins = ((entry.name, next(entry.content.pieces(), b"")) for entry in entries)
    pointers = [name for name, begin in begins if begin.startswith(LFS)]
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
