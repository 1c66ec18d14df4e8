"""Who can open the secrets: the keys that the store remembers, and those that are listed.

``three-node.recipients`` is a plain file that anybody who can change the repository can
change. What it lists is a wish. Who can open the store is remembered inside of it, under
the encryption (age's payload is authenticated: a line of it can't be altered without the
key), and changes with ``fab secrets.rekey`` only, which names whoever comes and goes.
"""

from __future__ import annotations

import getpass
import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyrage import RecipientError, x25519

from nodriza.errors import SecretError
from nodriza.files import content, exclusively, write_whole

LONGEST = 60  # characters of a person's name


@dataclass(frozen=True)
class Reader:
    """Somebody who can open the store, or is to; ``name`` is only what a comment says."""

    key: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.key}  {self.name}".strip()


@dataclass(frozen=True)
class Difference:
    """From those who could open the store to those who are listed."""

    before: tuple[Reader, ...]
    new: tuple[Reader, ...]
    gone: tuple[Reader, ...]

    @classmethod
    def between(cls, before: Iterable[Reader], after: Iterable[Reader]) -> Difference:
        """By their keys: a name is no proof of anything."""
        old, now = by_key(before), by_key(after)
        return cls(
            tuple(old.values()),
            tuple(reader for key, reader in now.items() if key not in old),
            tuple(reader for key, reader in old.items() if key not in now),
        )

    def __bool__(self) -> bool:
        return bool(self.new or self.gone)

    def lines(self, new: str, gone: str) -> list[str]:
        """One for each; ``new`` and ``gone`` say what that means."""
        known = {reader.name: reader.key for reader in self.before if reader.name}
        lines = []
        for reader in self.new:
            other = known.get(reader.name)
            swapped = f" (not the key that {reader.name} had: {other})" if other else ""
            lines.append(f"  new   {reader}{swapped}: {new}")
        return [*lines, *(f"  gone  {reader}: {gone}" for reader in self.gone)]


class Recipients:
    """The file at ``path``: one age public key a line, with a comment that names its owner."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> tuple[Reader, ...] | None:
        """Who is listed; ``None`` where there is no file, which is not the same as nobody."""
        text = self._text()
        if text is None:
            return None
        found = []
        above = ""
        for number, line in enumerate(text.splitlines(), 1):
            word, _, comment = (part.strip() for part in line.partition("#"))
            if word:
                key = _key(word, f"{self.path}:{number}")
                found.append(Reader(key, _clean(comment or above)))
            above = "" if word else comment
        return tuple(by_key(found).values())

    def add(self, readers: Sequence[Reader]) -> None:
        """Write more lines behind those that are there."""
        if not readers:
            return
        with exclusively(self.path):
            text = self._text() or ""
            text += "\n" if text and not text.endswith("\n") else ""
            text += "".join(f"{reader.key}  # {reader.name}\n" for reader in readers)
            write_whole(self.path, text.encode(), self.path.stat().st_mode & 0o777)

    def _text(self) -> str | None:
        try:
            data = content(self.path)
            return None if data is None else data.decode("utf-8")
        except UnicodeDecodeError:
            words = "this is not UTF-8 text"
        except OSError as error:
            words = f"can't be read: {error.strerror}"
        raise SecretError(
            words,
            where=str(self.path),
            kept="nothing was written",
            do="write one age1… key a line, with a comment behind it: age1…  # Ana",
        )


def own(keys: Iterable[str]) -> tuple[Reader, ...]:
    """The operator's own keys, under the name that this computer knows."""
    name = _clean(f"{getpass.getuser()}@{socket.gethostname()}")
    return tuple(Reader(key, name) for key in keys)


def by_key(readers: Iterable[Reader]) -> dict[str, Reader]:
    """Each key once, in order, with the first name that somebody gave it."""
    found: dict[str, Reader] = {}
    for reader in readers:
        if not found.get(reader.key, Reader("")).name:
            found[reader.key] = reader
    return found


def unread(path: Path, listed: Sequence[Reader] | None, difference: Difference) -> str:
    """That a write left the readers as they were, though the list says otherwise."""
    gone = "still can open it, and knows every value in it"
    if listed is None:
        head = f"{path.name} is gone; who can open the secrets stays as it was"
    else:
        head = f"{path.name} lists others than can open the secrets; who can, stays as it was"
    lines = difference.lines("can't open it yet", gone)
    return "\n".join([head, *lines, "  next: fab secrets.rekey, if that is meant"])


def _key(word: str, where: str) -> str:
    try:
        return str(x25519.Recipient.from_str(word))
    except RecipientError:
        pass
    conflict = re.match(r"<{7}|={7}|>{7}|\|{7}", word)
    raise SecretError(
        # Never shown: it may be a secret key that was pasted into the wrong file.
        "two branches changed this file, and git left both"
        if conflict
        else "this line is not an age public key",
        where=where,
        kept="nothing was written",
        do="choose the lines that are right, then: fab secrets.rekey"
        if conflict
        else "write one age1… key a line (age-keygen -y KEYFILE, or: fab secrets.key)",
    )


def _clean(name: str) -> str:
    """What may be printed: the file is not only ours to write."""
    return "".join(char for char in name if char.isprintable())[:LONGEST].strip()
