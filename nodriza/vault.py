"""The secrets' values, in an age-encrypted file beside the inventory.

``three-node.secrets.age`` holds one JSON object, name to value, and may be committed.
It can be opened with the operator's own key (``nodriza.vault_key``) and with those whose
public keys ``three-node.recipients`` lists, one a line.
"""

from __future__ import annotations

import json
import re
import secrets
import string
from collections.abc import Callable, Iterable
from pathlib import Path

from pyrage import DecryptError, RecipientError, decrypt, encrypt, x25519

from nodriza.errors import SecretError
from nodriza.files import exclusively, write_whole
from nodriza.secret import NAME
from nodriza.vault_key import Key, default_key_path

Values = dict[str, str]

ALPHABET = string.ascii_letters + string.digits
LENGTH = 40
SHORTEST = 8
_REFUSED = re.compile(r"""[^!-~]|["'`\\$%#;]""")


class Vault:
    """The store at ``path``, opened with the key at ``key_path``.

    Nothing is read until a value is asked for. It remembers every value it has seen,
    replaced ones too, for ``redact``.
    """

    def __init__(self, path: Path, key_path: Path | None = None) -> None:
        self.path = Path(path)
        self.key = Key(Path(key_path) if key_path else default_key_path())
        self.recipients_path = self.path.with_name(
            self.path.name.removesuffix(".secrets.age") + ".recipients"
        )
        self._seen: dict[str, str] = {}  # value → name

    @classmethod
    def beside(cls, inventory: Path) -> Vault:
        """The store that belongs to an inventory file."""
        return cls(inventory.with_name(f"{inventory.stem}.secrets.age"))

    def names(self) -> list[str]:
        """Every secret there is, sorted."""
        return sorted(self.values())

    def values(self) -> Values:
        """Every secret with its value."""
        if not self.path.exists():
            return {}
        return self._saw(self._parse(self._decrypt(self.path.read_bytes())))

    def value(self, name: str) -> str:
        """One secret's value."""
        values = self.values()
        if name not in values:
            known = f"choose one of: {', '.join(sorted(values))}"
            raise SecretError(
                f"no secret {name}",
                where=str(self.path),
                do=known if values else "fab provision, which makes those that it needs",
            )
        return values[name]

    def ensure(self, names: Iterable[str], *, keep: bool = True) -> Values:
        """The values of ``names``; missing ones are made up.

        ``keep=False``: made for this once and not written, for a run that changes nothing.
        """
        names = sorted(set(names))
        if not names:
            return {}
        values = self.values()
        missing = [name for name in names if name not in values]
        if missing and keep:
            values = self._change(lambda now: {**{name: _made_up() for name in names}, **now})
        elif missing:
            values = self._saw({**values, **{name: _made_up() for name in missing}})
        return {name: values[name] for name in names}

    def rotate(self, name: str) -> str:
        """Give a secret that exists a new value."""
        self.value(name)
        return self._change(lambda now: {**now, name: _made_up()})[name]

    def set(self, name: str, value: str) -> None:
        """Take over a value from elsewhere. Refuses one that would need quoting."""
        refuse_bad({name: value})
        self._change(lambda now: {**now, name: value})

    def replace(self, before: Values, after: Values) -> None:
        """Put ``after`` in the place of ``before``, unless somebody was faster."""

        def swap(now: Values) -> Values:
            if now != before:
                raise SecretError(
                    "the secrets were changed by somebody else in the meantime",
                    where=str(self.path),
                    kept="their change; yours was not written",
                    do="edit again",
                )
            return after

        refuse_bad(after)
        self._change(swap)

    def rekey(self) -> int:
        """Encrypt for everybody who is listed now; how many keys can open it then."""
        self._change(lambda now: now)
        return len(self._recipients())

    def redact(self, text: str) -> str:
        """The text with tokens in the place of every value this vault has met."""
        # The longest first: a value may be the beginning of another one.
        for value in sorted(self._seen, key=len, reverse=True):
            text = text.replace(value, f"‹secret:{self._seen[value]}›")
        return text

    def _saw(self, values: Values) -> Values:
        self._seen.update({value: name for name, value in values.items()})
        return values

    def _change(self, change: Callable[[Values], Values]) -> Values:
        with exclusively(self.path):
            before = self.values()
            after = self._saw(change(before))
            self._write(after)
        return after

    def _recipients(self) -> list[x25519.Recipient]:
        own = [identity.to_public() for identity in self.key.identities(make=True)]
        listed = []
        if self.recipients_path.exists():
            for number, line in enumerate(self.recipients_path.read_text().splitlines(), 1):
                word = line.partition("#")[0].strip()
                if word:
                    listed.append(_recipient(word, f"{self.recipients_path}:{number}"))
        return list({str(key): key for key in [*own, *listed]}.values())

    def _write(self, values: Values) -> None:
        text = json.dumps(values, indent=1, sort_keys=True) + "\n"
        data = encrypt(text.encode(), self._recipients())
        write_whole(self.path, data, 0o600)

    def _decrypt(self, data: bytes) -> bytes:
        identities = self.key.identities(opens=self.path)
        try:
            return bytes(decrypt(data, identities))
        except DecryptError as error:
            if "No matching keys" not in str(error):
                raise self._damaged() from None
        own = ", ".join(str(identity.to_public()) for identity in identities)
        raise SecretError(
            f"the key {self.key.path} ({own}) does not open it",
            where=str(self.path),
            kept="nothing was written",
            do=f"add {own} to {self.recipients_path} and have somebody whose key opens it"
            " type: fab secrets.rekey\n"
            "        or name the right key: NODRIZA_AGE_KEY_FILE=…",
        )

    def _parse(self, data: bytes) -> Values:
        try:
            values = json.loads(data)
        except ValueError:
            raise self._damaged() from None
        if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
            raise self._damaged()
        return values

    def _damaged(self) -> SecretError:
        return SecretError(
            "the file is damaged: it is not what age wrote",
            where=str(self.path),
            kept="the file was left as it is",
            do=f"bring it back: git log -- {self.path.name}; git restore --source=… or a backup",
        )


def refuse_bad(values: Values) -> None:
    """Raise ``SecretError`` for a name or a value that could not be used everywhere.

    Values go into nginx, SQL, systemd, ini and environment files and URLs; one that needs
    quoting in any of them would sooner or later be quoted wrongly.
    """
    for name, value in values.items():
        if not re.fullmatch(NAME, name):
            raise SecretError(
                f"{name!r} can't be the name of a secret",
                kept="nothing was written",
                do="use small letters, digits and underscores only",
            )
        bad = _REFUSED.search(value)
        why = "it holds a character that needs quoting somewhere" if bad else ""
        if len(value) < SHORTEST:
            why = f"it is shorter than {SHORTEST} characters"
        if why:
            raise SecretError(
                f"the value of {name} can't be used: {why}",
                kept="nothing was written",
                do="use letters, digits and . _ ~ - + = ! * only: it goes into nginx, SQL,"
                " environment files and URLs as it is",
            )


def _made_up() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def _recipient(word: str, where: str) -> x25519.Recipient:
    try:
        return x25519.Recipient.from_str(word)
    except RecipientError:
        raise SecretError(
            # Never shown: it may be a secret key that was pasted into the wrong file.
            "this line is not an age public key",
            where=where,
            kept="nothing was written",
            do="write one age1… key a line (age-keygen -y KEYFILE, or: fab secrets.key)",
        ) from None
