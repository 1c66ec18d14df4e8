"""The secrets' values, in an age-encrypted file beside the inventory.

``three-node.secrets.age`` holds one JSON object, name to value, and may be committed.
It can be opened with the operator's own key (``nodriza.vault_key``) and with those whose
public keys ``three-node.recipients`` lists, one a line.
"""

from __future__ import annotations

import json
import re
import resource
import secrets
import string
from collections.abc import Callable, Iterable
from pathlib import Path

from pyrage import DecryptError, RecipientError, decrypt, encrypt, x25519

from nodriza.agent.redact import Hidden
from nodriza.errors import SecretError
from nodriza.files import exclusively, write_whole
from nodriza.pem import private_key
from nodriza.secret import NAME, OTHER
from nodriza.vault_key import Key, default_key_path

Values = dict[str, str]

ALPHABET = string.ascii_letters + string.digits
LENGTH = 40
SHORTEST = 8
NEXT = ".next"
OLD = ".old"
"""After a name, while it is being rotated: the value that comes, the one that goes."""
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
        self._hidden: Hidden | None = None

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

        def complete(now: Values) -> Values:
            return {**{_key(name, now): made_up() for name in names}, **now}

        values = self.values()
        if any(_key(name, values) not in values for name in names):
            values = self.change(complete) if keep else self._saw(complete(values))
        return {name: values[_key(name, values)] for name in names}

    def replace_at_once(self, name: str) -> None:
        """Give a secret that exists a new value; ``nodriza.rotation`` has the gentle way."""
        self.value(name)
        gone = (name + NEXT, name + OLD)
        self.change(
            lambda now: {key: now[key] for key in now if key not in gone} | {name: made_up()}
        )

    def set(self, name: str, value: str) -> None:
        """Take over a value from elsewhere. Refuses one that would need quoting."""
        value = private_key(value) or value
        refuse_bad({name: value})
        self.change(lambda now: {**now, name: value})

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

        after = {name: private_key(value) or value for name, value in after.items()}
        refuse_bad(after)
        self.change(swap)

    def rekey(self) -> int:
        """Encrypt for everybody who is listed now; how many keys can open it then."""
        self.change(lambda now: now)
        return len(self._recipients())

    def redact(self, text: str) -> str:
        """The text with tokens in the place of every value this vault has met."""
        if self._hidden is None:
            self._hidden = Hidden(self._seen.items())
        return self._hidden.text(text)

    def _saw(self, values: Values) -> Values:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold them
        self._seen.update({value: name for name, value in values.items()})
        self._hidden = None
        return values

    def change(self, change: Callable[[Values], Values]) -> Values:
        """Put what ``change`` makes of the values in their place, at once; all of them."""
        with exclusively(self.path):
            before = self.values()
            after = self._saw(change(before))
            self._write(after)
        return after

    def _recipients(self) -> list[x25519.Recipient]:
        own = [identity.to_public() for identity in self.key.identities(make=True)]
        listed = []
        if self.recipients_path.exists():
            for number, line in enumerate(self.recipients_path.read_text("utf-8").splitlines(), 1):
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
    quoting in any of them would sooner or later be quoted wrongly. Private keys are the
    exception: they go into files of their own.
    """
    for name, value in values.items():
        if not re.fullmatch(rf"{NAME}(?:\{NEXT}|\{OLD})?", name):
            raise SecretError(
                f"{name!r} can't be the name of a secret",
                kept="nothing was written",
                do="use small letters, digits and underscores only",
            )
        bad = _REFUSED.search(value) if not private_key(value) else None
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


def made_up() -> str:
    """A value that nobody can guess."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def _key(name: str, values: Values) -> str:
    """The key of what a token stands for: a second value is the next or the old one."""
    if not name.endswith(OTHER):
        return name
    name = name.removesuffix(OTHER)
    return name + OLD if name + OLD in values else name + NEXT


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
