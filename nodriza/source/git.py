"""What git has of a folder: the files of the working tree, or those of a commit.

An error of git is never an empty answer: it ends in ``SourceError``, in git's own words.
"""

from __future__ import annotations

import difflib
import os
import stat
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from nodriza.errors import SourceError
from nodriza.source.spool import PIECE, Content, Spool

KEPT = "GIT_CONFIG_"
"""Of git's variables those stay that say where its user's settings are. All others speak of
one repository (git(1)), and in a hook it is another one than ours."""
FILE, EXECUTABLE, LINK, SUBMODULE = "100644", "100755", "120000", "160000"


@dataclass(frozen=True)
class Entry:
    """One file: ``mode`` in git's words; of a link the content is where it leads."""

    name: str
    mode: str
    content: Content

    def read(self) -> bytes:
        """All of it."""
        return b"".join(self.content.pieces())


@dataclass(frozen=True)
class Checkout:
    """What git says of a folder. Names are relative to the folder."""

    entries: tuple[Entry, ...]
    commit: str
    """Forty digits; empty before the first commit."""
    changed: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


def is_checkout(folder: Path) -> bool:
    """Whether git is in charge of a folder: then it has to answer."""
    return any((above / ".git").exists() for above in (folder, *folder.parents))


def working_tree(folder: Path, spool: Spool) -> Checkout:
    """The files that git tracks or would track, as they are on the disk now."""
    git = _Git(folder)
    status = _Status(git)
    tracked = [name for mode, name in _staged(git) if mode != SUBMODULE]
    names = [*tracked, *(name for name in status.new if not name.endswith("/"))]
    there = [name for name in names if os.path.lexists(folder / name)]
    lost = set(tracked) - set(there) - set(status.deleted)
    if lost:
        raise SourceError(
            f"git tracks {len(lost)} files that are not in the working tree (a sparse checkout):"
            f" {_some(sorted(lost))}",
            where=str(folder),
            kept="nothing was sent",
            do="git sparse-checkout disable, or fab deploy --ref HEAD",
        )
    entries = [on_disk(folder, name, spool) for name in there]
    found = Checkout((), git.head(), status.changed, status.new, status.ignored)
    inside = [(name, working_tree(path, spool)) for name, path in _submodules(git)]
    return _with(found, entries, inside)


def has(folder: Path, commit: str) -> bool:
    """Whether a commit can be deployed from here."""
    if not is_checkout(folder):
        return False
    try:
        _Git(folder).run("cat-file", "-e", f"{commit}^{{commit}}")
    except SourceError:
        return False
    return True


def commit(folder: Path, ref: str, spool: Spool) -> Checkout:
    """The files of a commit, a branch or a tag; the working tree does not matter."""
    git = _Git(folder)
    found = git.resolved(ref)
    return _tree(git, found, spool)


def on_disk(folder: Path, name: str, spool: Spool) -> Entry:
    """A file of the working tree, whatever git knows of it."""
    content, seen = spool.add_file(folder / name, name)
    if stat.S_ISLNK(seen.st_mode):
        return Entry(name, LINK, content)
    return Entry(name, EXECUTABLE if seen.st_mode & 0o100 else FILE, content)


def _tree(git: _Git, commit: str, spool: Spool) -> Checkout:
    rows = [row for row in git.text("ls-tree", "-r", "-z", commit).split("\0") if row]
    blobs, inside = [], []
    for row in rows:
        about, _, name = row.partition("\t")
        mode, _, digest = about.split()
        if mode == SUBMODULE:
            below = _Git(_checked_out(git.folder, name))
            below.run("cat-file", "-e", f"{digest}^{{commit}}")
            inside.append((name, _tree(below, digest, spool)))
        else:
            blobs.append((name, mode, digest))
    contents = git.contents(dict.fromkeys(digest for _, _, digest in blobs), spool)
    entries = [Entry(name, mode, contents[digest]) for name, mode, digest in blobs]
    return _with(Checkout((), commit), entries, inside)


def _with(
    found: Checkout, entries: Sequence[Entry], inside: Sequence[tuple[str, Checkout]]
) -> Checkout:
    """A checkout and those of its submodules, as one."""
    every = [*entries]
    for name, one in inside:
        every += [Entry(f"{name}/{each.name}", each.mode, each.content) for each in one.entries]

    def joined(what: str) -> tuple[str, ...]:
        below = (f"{name}/{path}" for name, one in inside for path in getattr(one, what))
        return (*getattr(found, what), *below)

    return Checkout(
        tuple(sorted(every, key=lambda entry: entry.name)),
        found.commit,
        joined("changed"),
        joined("new"),
        joined("ignored"),
    )


class _Status:
    """git-status(1), porcelain version 1: two letters, a blank, and the path from the top."""

    def __init__(self, git: _Git) -> None:
        prefix = git.text("rev-parse", "--show-prefix").rstrip("\n")
        words = ["--porcelain=v1", "-z", "--untracked-files=all", "--ignored=matching"]
        rows = iter(git.text("status", *words, "--no-renames", "--", ".").split("\0"))
        found = [(row[:2], row[3:].removeprefix(prefix)) for row in rows if row]
        if conflicts := [name for letters, name in found if _is_conflict(letters)]:
            raise SourceError(
                f"a merge is not finished: {_some(conflicts)}",
                where=str(git.folder),
                kept="nothing was sent",
                do="git status",
            )
        self.new = tuple(name for letters, name in found if letters == "??")
        self.ignored = tuple(name for letters, name in found if letters == "!!")
        rest = [row for row in found if row[0] not in ("??", "!!")]
        self.changed = tuple(name for _, name in rest)
        self.deleted = tuple(name for letters, name in rest if "D" in letters)


class _Git:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        own = os.environ.items()
        clean = {k: v for k, v in own if not k.startswith("GIT_") or k.startswith(KEPT)}
        self.env = {**clean, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C.UTF-8"}

    def contents(self, digests: Iterable[str], spool: Spool) -> dict[str, Content]:
        """Many files from one process (git-cat-file(1), BATCH OUTPUT)."""
        found = {}
        with tempfile.TemporaryFile() as wanted, tempfile.TemporaryFile() as errors:
            wanted.write("".join(f"{digest}\n" for digest in digests).encode())
            wanted.seek(0)
            argv = self._argv("cat-file", "--batch")
            with subprocess.Popen(
                argv, stdin=wanted, stdout=subprocess.PIPE, stderr=errors, env=self.env
            ) as process:
                assert process.stdout  # noqa: S101  for the type checker
                for digest in digests:
                    header = process.stdout.readline().split()
                    if len(header) != 3:  # "DIGEST missing": a clone that has not everything
                        errors.seek(0)
                        said = errors.read(PIECE).decode("utf-8", "replace").strip()
                        raise self._refused("cat-file", said or f"{digest} is not in this clone")
                    found[digest] = spool.add(self._piecewise(process.stdout, int(header[2])))
                    process.stdout.read(1)
        return found

    def _piecewise(self, stream: IO[bytes], size: int) -> Iterator[bytes]:
        while size:
            piece = stream.read(min(size, PIECE))
            if not piece:
                raise self._refused("cat-file", "it ended in the middle of a file")
            size -= len(piece)
            yield piece

    def _argv(self, *words: str) -> list[str]:
        """No program of the repository's own settings is started."""
        return ["git", "-c", "core.fsmonitor=false", "-C", str(self.folder), *words]

    def run(self, *words: str) -> bytes:
        """What git writes."""
        argv = self._argv(*words)
        try:
            done = subprocess.run(argv, capture_output=True, env=self.env, check=False)
        except FileNotFoundError:
            raise SourceError(
                "this is a git checkout, and git is not installed",
                where=str(self.folder),
                kept="nothing was sent",
                do="apt-get install git",
            ) from None
        if done.returncode:
            raise self._refused(words[0], done.stderr.decode("utf-8", "replace"))
        return done.stdout

    def text(self, *words: str) -> str:
        """The same; names that are not UTF-8 keep their bytes."""
        return self.run(*words).decode("utf-8", "surrogateescape")

    def head(self) -> str:
        """The commit that the working tree comes from; empty before the first one."""
        try:
            return self.text("rev-parse", "--verify", "--quiet", "HEAD").strip()
        except SourceError:
            return ""

    def resolved(self, ref: str) -> str:
        """The commit that a word means."""
        words = ("--verify", "--end-of-options", f"{ref}^{{commit}}")
        try:
            return self.text("rev-parse", *words).strip()
        except SourceError as error:
            names = self.text("for-each-ref", "--format=%(refname:short)").split()
            near = difflib.get_close_matches(ref, names, n=1)
            raise SourceError(
                f'git knows no commit "{ref}"' + (f", did you mean {near[0]}?" if near else ""),
                where=str(self.folder),
                kept="nothing was sent",
                do=error.do or "git log --oneline, git tag; git fetch brings what others have",
            ) from None

    def _refused(self, what: str, said: str) -> SourceError:
        # "dubious ownership": the checkout is another user's (sudo, a container of CI).
        foreign = "safe.directory" in said
        return SourceError(
            f"git {what} failed: {said.strip() or 'without a word'}",
            where=str(self.folder),
            kept="nothing was sent",
            do=f"git config --global --add safe.directory {self.folder}" if foreign else "",
        )


def _is_conflict(letters: str) -> bool:
    return "U" in letters or letters in ("AA", "DD")


def _staged(git: _Git) -> Iterator[tuple[str, str]]:
    for row in git.text("ls-files", "-z", "--cached", "--stage").split("\0"):
        about, _, name = row.partition("\t")
        if name:
            yield about.split()[0], name


def _submodules(git: _Git) -> Iterator[tuple[str, Path]]:
    for mode, name in _staged(git):
        if mode == SUBMODULE:
            yield name, _checked_out(git.folder, name)


def _checked_out(folder: Path, name: str) -> Path:
    if not (folder / name / ".git").exists():
        raise SourceError(
            f"the submodule {name} is not checked out",
            where=str(folder),
            kept="nothing was sent",
            do="git submodule update --init --recursive",
        )
    return folder / name


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
