"""Which secrets are being rotated: ``three-node.rotating`` beside ``three-node.yml``.

One line a secret, its name and since when. There is no value in it, so that a plan needs
no key; it belongs into the same commit as the secrets. ``nodriza.change.rotation`` writes it.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

from nodriza.errors import InventoryError
from nodriza.files import content, exclusively, remove, write_whole
from nodriza.vault.token import NAME

HEAD = """\
# Secrets that are being rotated: two values of each are accepted.
# Written by fab secrets.rotate; the file goes when it has ended.
"""
LINE = re.compile(rf"({NAME}) (\S+)")


class Rotating:
    """The file at ``path``; when there is none, nothing is being rotated."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def beside(cls, inventory: Path) -> Rotating:
        """The file that belongs to an inventory."""
        return cls(inventory.with_name(f"{inventory.stem}.rotating"))

    def read(self) -> dict[str, str]:
        """Name to since when (UTC, ISO 8601)."""
        try:
            text = (content(self.path) or b"").decode("utf-8", "replace")
        except OSError as error:
            raise InventoryError([f"{self.path}: can't be read: {error.strerror}"]) from None
        found = {}
        for number, line in enumerate(text.splitlines(), 1):
            words = line.partition("#")[0].strip()
            match = LINE.fullmatch(words)
            if words and not match:
                raise InventoryError(
                    [f"{self.path}:{number}: must be a secret's name and since when"]
                )
            if match:
                found[match[1]] = match[2]
        return found

    def add(self, name: str) -> None:
        """From now on two values of it are accepted."""
        with exclusively(self.path):
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            self._write({name: now, **self.read()})

    def remove(self, name: str) -> None:
        """From now on only the one in use."""
        with exclusively(self.path):
            self._write({key: since for key, since in self.read().items() if key != name})

    def _write(self, lines: dict[str, str]) -> None:
        if lines:
            text = HEAD + "".join(f"{name} {since}\n" for name, since in sorted(lines.items()))
            write_whole(self.path, text.encode(), 0o644)
        else:
            remove(self.path)
