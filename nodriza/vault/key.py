"""The operator's own age key: a file in the form that age-keygen(1) writes."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import time
from pathlib import Path

from pyrage import IdentityError, x25519

from nodriza.errors import SecretError
from nodriza.files import remove, unwritten, write_whole

VARIABLE = "NODRIZA_AGE_KEY_FILE"


def default_key_path() -> Path:
    """``$NODRIZA_AGE_KEY_FILE``, or a place in the home directory, outside any repository."""
    return Path(os.environ.get(VARIABLE) or "~/.config/nodriza/age.key").expanduser()


class Key:
    """The key file at ``path``; it may hold several keys, any of which may open a store."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._piped = ""
        """From a pipe (``<(pass show age)``), which can be read once."""

    def identities(
        self, *, opens: Path | None = None, make: bool = False
    ) -> list[x25519.Identity]:
        """The keys in the file; at least one.

        ``make``: a missing file is made. ``opens``: the store that a missing one would
        have opened, for the error.
        """
        try:
            text = self._read()
        except FileNotFoundError:
            if not make:
                raise self._missing(opens) from None
            self._make()
            text = self._read()
        words = [line.strip() for line in text.splitlines()]
        found = [self._identity(word) for word in words if word and not word.startswith("#")]
        if not found:
            raise self._unreadable()
        return found

    def public(self) -> list[str]:
        """The public keys, for a colleague's ``.recipients``; made on first use."""
        return [str(identity.to_public()) for identity in self.identities(make=True)]

    def _read(self) -> str:
        if self._piped:
            return self._piped
        try:
            with self.path.open(encoding="utf-8", errors="replace") as file:
                seen = os.fstat(file.fileno()).st_mode
                mode = stat.S_IMODE(seen)
                if mode & 0o077:
                    raise SecretError(
                        f"others may read this key (mode {mode:04o}), so it is not used",
                        where=str(self.path),
                        do=f"chmod 600 {self.path}",
                    )
                text = file.read()
                self._piped = text if stat.S_ISFIFO(seen) else ""
                return text
        except (PermissionError, IsADirectoryError) as error:
            raise SecretError(
                f"can't read the key: {error.strerror}",
                where=str(self.path),
                do=f"set {VARIABLE} to a file of yours",
            ) from None

    def _make(self) -> None:
        identity = x25519.Identity.generate()
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        text = f"# created: {created}\n# public key: {identity.to_public()}\n{identity}\n"
        new = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(new, text.encode(), 0o600, follow=False)
            with contextlib.suppress(FileExistsError):  # somebody made one meanwhile
                os.link(new, self.path)
            remove(new)
        except OSError as error:
            raise unwritten(self.path, error) from error

    def _identity(self, word: str) -> x25519.Identity:
        try:
            return x25519.Identity.from_str(word)
        except IdentityError:
            raise self._unreadable() from None

    def _unreadable(self) -> SecretError:
        return SecretError(
            "there is no age key in this file, or something else beside it",
            where=str(self.path),
            do="it must hold AGE-SECRET-KEY-1… lines, as age-keygen writes them",
        )

    def _missing(self, opens: Path | None) -> SecretError:
        return SecretError(
            f"there is no key at {self.path} to open it with",
            where=str(opens or self.path),
            kept="no new key was made: it could not open what is there",
            do=f"put your key there, or set {VARIABLE} to where it is\n"
            "        have none yet? type fab secrets.key and send what it prints to somebody"
            " who can open the secrets",
        )
