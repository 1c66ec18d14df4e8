"""What gets installed beside the application: the file that says so, and what it stands for."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from nodriza.errors import SourceError

if TYPE_CHECKING:
    from nodriza.inventory.sections.app import Installer
    from nodriza.source.tree import Source

UV_LOCK, PYPROJECT, POETRY = "uv.lock", "pyproject.toml", "poetry.lock"
ORDER = (UV_LOCK, "pylock.toml", "requirements.txt", POETRY, PYPROJECT)
"""What is looked for beside manage.py where the inventory names no file. Exact versions come
first; what somebody exported for another tool comes before that tool's own file."""
_PYLOCK = re.compile(r"pylock(\.[^.]+)?\.toml")
"""The names that the standard allows (PyPA, pylock.toml)."""
_ALIKE = re.compile(
    rf"{UV_LOCK}|{POETRY}|{PYPROJECT}|{_PYLOCK.pattern}|.*requirements.*\.(txt|pip|in)"
)
# Whatever installs from the source itself changes with any of its files.
LOCAL = {
    UV_LOCK: r"(?m)^source = \{ (editable|directory|path) = ",
    POETRY: r'(?m)^type = "(directory|file)"',
    PYPROJECT: r"(?m)^\[build-system\]|^dynamic\s*=|\b(path|workspace)\s*=|@\s*file:",
    "pylock.toml": r"\bpath\s*=",
    "requirements.txt": r"(?m)^\s*(-e\b|--editable\b|\.|file:|[\w.-]+/|[^#\n]*@\s*file:)",
}
_PROJECT = re.compile(r"(?m)^\[build-system\]")
"""A project with this table is a package (uv's documentation, "Build systems"; PEP 517)."""
EXPORTED = {
    UV_LOCK: "uv export --frozen --no-dev --no-emit-project -o requirements.txt",
    POETRY: "poetry export --only main -o requirements.txt",  # with poetry-plugin-export
    PYPROJECT: "uv pip compile pyproject.toml -o requirements.txt",
}
"""How each of them becomes one that pip reads as well."""


@dataclass(frozen=True)
class Requirements:
    """``file`` says what is installed, by ``installer``; the twelve digits of ``id`` stand for it.

    ``package``: the project itself is installed too. ``others`` are there and not read.
    ``pinned``: all that is installed, as a requirements file, where ``installer`` can't read it.
    """

    file: str
    id: str
    installer: Installer
    package: bool = False
    others: tuple[str, ...] = ()
    pinned: str = ""

    @property
    def note(self) -> str:
        """What a person should know of it before it is installed."""
        by = f"environment: {self.file}, by {self.installer}"
        return by + (f" (not read: {', '.join(self.others)})" if self.others else "")


def read_requirements(source: Source, name: str | None, installer: Installer) -> Requirements:
    """Those of ``source`` in the file ``name``, or else in the first of ``ORDER`` that is there.

    Raises ``SourceError`` where there is none, or none that ``installer`` can read.
    """
    top = [each for each in ORDER if source.text_of(each) is not None]
    file = name or first(top, installer)
    if file is None or source.text_of(file) is None:
        raise _missing(source, file)
    if way := instead(file, installer):
        what = f"{file} can't be read by {installer}"
        raise SourceError(what, kept="nothing was sent", do=way)
    kind = kind_of(file)
    text, pinned = _text(source, file), ""
    if kind in (UV_LOCK, POETRY):
        # Which groups are installed, and what is built how, stands beside it.
        beside = _text(source, _beside(file))
        if kind == POETRY:
            from nodriza.source import poetry  # noqa: PLC0415  slow to load

            pinned = poetry.pinned(text, beside, file)
        text += beside
    whole = pinned or text
    if re.search(LOCAL[kind], text):
        whole += source.sha256
    digest = hashlib.sha256(f"{installer} {kind}\n{whole}".encode()).hexdigest()[:12]
    package = kind == PYPROJECT and bool(_PROJECT.search(text))
    others = tuple(each for each in top if each != file and not _belongs(each, file))
    return Requirements(file, digest, installer, package, others, pinned)


def first(there: Sequence[str], installer: Installer) -> str | None:
    """The one of ``ORDER`` that counts, of those that are there."""
    # pip reads one kind only; of several for uv the most exact counts.
    plain = [each for each in there if kind_of(each) == "requirements.txt" and installer == "pip"]
    return next(iter([*plain, *there]), None)


def instead(file: str, installer: Installer) -> str:
    """What to do where ``installer`` can't read a file of its name; nothing where it can."""
    kind = kind_of(file)
    if installer == "uv" or kind == "requirements.txt":
        return ""
    exported = EXPORTED.get(kind, EXPORTED[UV_LOCK])
    return f"{exported}, and app.requirements: requirements.txt, or app.installer: uv"


def kind_of(name: str) -> str:
    """One of ``ORDER``: the format that a file has by its name."""
    last = PurePosixPath(name).name
    if last in (UV_LOCK, POETRY, PYPROJECT):
        return last
    return "pylock.toml" if _PYLOCK.fullmatch(last) else "requirements.txt"


def _belongs(name: str, file: str) -> bool:
    """A lock's pyproject.toml is no second opinion."""
    return name == PYPROJECT and kind_of(file) in (UV_LOCK, POETRY, "pylock.toml")


def _beside(lock: str) -> str:
    return posixpath.join(posixpath.dirname(lock), PYPROJECT)


def _missing(source: Source, name: str | None) -> SourceError:
    alike = [
        each.name
        for each in source.entries
        if _ALIKE.fullmatch(PurePosixPath(each.name).name)
        or (each.name.endswith(".txt") and PurePosixPath(each.name).parent.name == "requirements")
    ]
    there = f"; there are {', '.join(alike[:8])}" if alike else ""
    what = f"no {name}" if name else f"none of {', '.join(ORDER)} beside manage.py"
    return SourceError(
        f"{what} is among the files that are deployed, and it would say what to install{there}",
        kept="nothing was sent",
        do=f"app.requirements: {alike[0]}, or another file of the source"
        if alike
        else f"git add {name}, or name it in app.include"
        if name
        else "uv lock, or pip freeze > requirements.txt; a project without any has an empty file",
    )


def _text(source: Source, name: str) -> str:
    return "".join(line for _, _, line in lines_of(source, name))


def lines_of(
    source: Source, name: str, include: str = "-r|-c|--requirement|--constraint"
) -> Iterator[tuple[str, int, str]]:
    """Each line of a file with its place, and those of the files that it includes in their place
    where it is one of pip's format.
    """
    yield from _lines(source, name, re.compile(rf"\s*(?:{include})[\s=]*(\S+)"), set())


def _lines(
    source: Source, name: str, include: re.Pattern[str], seen: set[str]
) -> Iterator[tuple[str, int, str]]:
    if name in seen:
        return
    seen.add(name)
    text = source.text_of(name)
    if text is None:
        raise SourceError(
            f"{name} is not among the files that are deployed, and the requirements need it",
            kept="nothing was sent",
            do=f"git add {name}, or name it in app.include",
        )
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        included = include.match(line)
        if included and "://" not in included[1] and kind_of(name) == "requirements.txt":
            below = posixpath.join(posixpath.dirname(name), included[1])
            yield from _lines(source, posixpath.normpath(below), include, seen)
        else:
            yield name, number, line
