"""The secrets' values, in an age-encrypted file beside the inventory.

``three-node.secrets.age`` holds one JSON object, ``secrets`` (name to value) and ``readers``
(whose keys it was encrypted for), and may be committed. It can be opened with the operator's
own key (``nodriza.vault.key``) and with those that ``fab secrets.rekey`` took over from
``three-node.recipients``. Any other write leaves the readers as they are, and reports a list
that says otherwise (``nodriza.vault.readers``).
"""

from __future__ import annotations

import dataclasses
import json
import resource
import secrets
import string
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from pyrage import DecryptError, decrypt, encrypt, x25519

from nodriza.errors import SecretError, UnknownSecret
from nodriza.files import content, exclusively, write_whole
from nodriza.host.redact import Hidden
from nodriza.vault.key import Key, default_key_path
from nodriza.vault.pem import private_key
from nodriza.vault.readers import Difference, Reader, Recipients, by_key, own, unread
from nodriza.vault.token import OTHER
from nodriza.vault.value import NEXT, OLD, refuse_bad
from nodriza.wording import did_you_mean

Values = dict[str, str]

ALPHABET = string.ascii_letters + string.digits
LENGTH = 40


@dataclasses.dataclass(frozen=True)
class Store:
    """What is in the file: the values, and who could open it when it was written."""

    values: Values
    readers: tuple[Reader, ...] = ()


class Vault:
    """The store at ``path``, opened with the key at ``key_path``.

    Nothing is read until a value is asked for. It remembers every value it has seen,
    replaced ones too, for ``redact``.
    """

    def __init__(
        self,
        path: Path,
        key_path: Path | None = None,
        say: Callable[[str], None] = lambda words: print(words, file=sys.stderr),  # noqa: T201
    ) -> None:
        self.path = Path(path)
        self.key = Key(Path(key_path) if key_path else default_key_path())
        stem = self.path.name.removesuffix(".secrets.age")
        self.recipients = Recipients(self.path.with_name(f"{stem}.recipients"))
        self.say = say
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
        return self._saw(self._store().values)

    def value(self, name: str) -> str:
        """One secret's value."""
        values = self.values()
        if name not in values:
            known = f"choose one of: {', '.join(sorted(values))}"
            raise UnknownSecret(
                f"no secret {name}{did_you_mean(name, values)}",
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
        """Give a secret that exists a new value; ``fab secrets.rotate`` is the gentle way."""
        self.value(name)
        gone = (name + NEXT, name + OLD)
        self.change(
            lambda now: {key: now[key] for key in now if key not in gone} | {name: made_up()}
        )

    def set(self, name: str, value: str) -> None:
        """Take over a value from elsewhere, as it is; a private key in its bare form."""
        value = private_key(value) or value
        refuse_bad({name: value})
        self.change(lambda now: {**now, name: value})

    def remove(self, name: str) -> None:
        """Forget a secret, with what a rotation has of it."""
        self.value(name)
        gone = (name, name + NEXT, name + OLD)
        self.change(lambda now: {key: now[key] for key in now if key not in gone})

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

    def readers(self) -> tuple[Reader, ...]:
        """Who can open it; nobody while there is none."""
        return self._store().readers

    def difference(self) -> Difference:
        """From those who can open it to those who are listed, the operator among them."""
        return self._difference(self._store().readers)

    def rekey(self) -> Difference:
        """Encrypt for the operator and everybody who is listed; who came, and who went.

        From then on the list is whole, the operator's own key in it: the next to do this,
        with another key, shuts nobody out.
        """
        listed = self.recipients.read()
        with exclusively(self.path):
            store = self._store()
            mine = own(self._public())
            difference = Difference.between(store.readers, [*(listed or ()), *mine])
            if listed is None and difference.gone:
                raise self._vanished(difference)
            if listed is not None:
                self.recipients.add(Difference.between(listed, mine).new)
            self._write(Store(store.values, tuple(by_key([*(listed or ()), *mine]).values())))
        return difference

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
        """Put what ``change`` makes of the values in their place, at once; all of them.

        The readers stay as they are. A list that says otherwise is reported.
        """
        with exclusively(self.path):
            before = self._store()
            readers = before.readers or own(self._public())
            difference = self._difference(readers)
            self._refuse_strange(before)
            after = self._saw(change(self._saw(before.values)))
            self._write(Store(after, readers))
        if difference:
            self.say(unread(self.recipients.path, self.recipients.read(), difference))
        return after

    def _public(self) -> list[str]:
        return [str(identity.to_public()) for identity in self.key.identities(make=True)]

    def _difference(self, readers: Iterable[Reader]) -> Difference:
        listed = self.recipients.read()
        mine = self.key.public() if self.key.path.exists() else []
        return Difference.between(readers, [*(listed or ()), *own(mine)])

    def _store(self) -> Store:
        try:
            data = content(self.path)
        except OSError as error:
            raise SecretError(
                f"the secrets can't be read: {error.strerror}",
                where=str(self.path),
                kept="no new ones were made, and nothing was written",
                do=f"ls -ld {self.path}",
            ) from None
        return Store({}) if data is None else self._parse(self._decrypt(data))

    def _write(self, store: Store) -> None:
        data = {
            "readers": [dataclasses.asdict(reader) for reader in store.readers],
            "secrets": store.values,
        }
        text = json.dumps(data, indent=1, sort_keys=True) + "\n"
        recipients = [x25519.Recipient.from_str(reader.key) for reader in store.readers]
        write_whole(self.path, encrypt(text.encode(), recipients), 0o600)

    def _refuse_strange(self, store: Store) -> None:
        """What another program encrypted is for readers that nobody here knows."""
        count = _stanzas(self.path) if store.readers else 0
        if count == len(store.readers):
            return
        raise SecretError(
            f"it can be opened with {count} keys, and {len(store.readers)} were told here:"
            " another program has encrypted it",
            where=str(self.path),
            kept="nothing was written",
            do="see who did that, then encrypt it anew for those who are listed:"
            " fab secrets.rekey",
        )

    def _vanished(self, difference: Difference) -> SecretError:
        lines = "\n".join(f"  {reader}" for reader in difference.gone)
        return SecretError(
            f"{self.recipients.path.name} is not there, and others can open the secrets:\n{lines}",
            where=str(self.path),
            kept="they still can; nothing was written",
            do=f"bring it back: git restore {self.recipients.path}\n"
            f"        or, if you are to be the only one: touch {self.recipients.path};"
            " fab secrets.rekey",
        )

    def _decrypt(self, data: bytes) -> bytes:
        identities = self.key.identities(opens=self.path)
        try:
            return bytes(decrypt(data, identities))
        except DecryptError as error:
            if "No matching keys" not in str(error):
                raise self._damaged() from None
        mine = ", ".join(str(identity.to_public()) for identity in identities)
        raise SecretError(
            f"the key {self.key.path} ({mine}) does not open it",
            where=str(self.path),
            kept="nothing was written",
            do=f"add {mine} to {self.recipients.path} and have somebody whose key opens it"
            " type: fab secrets.rekey\n"
            "        or name the right key: NODRIZA_AGE_KEY_FILE=…",
        )

    def _parse(self, data: bytes) -> Store:
        try:
            found = json.loads(data)
            readers = tuple(Reader(each["key"], each["name"]) for each in found["readers"])
            values = {str(name): str(value) for name, value in found["secrets"].items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise self._damaged() from None
        return Store(values, readers)

    def _damaged(self) -> SecretError:
        return SecretError(
            "the file is damaged: it is not what age wrote",
            where=str(self.path),
            kept="the file was left as it is",
            do=f"bring it back: git log -- {self.path.name}; git restore --source=… or a backup",
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


def _stanzas(path: Path) -> int:
    """For how many keys an age file is encrypted (age-encryption.org/v1, header)."""
    header = path.read_bytes().partition(b"\n--- ")[0]
    kinds = [line.split()[1] for line in header.splitlines() if line.startswith(b"-> ")]
    return sum(not kind.endswith(b"-grease") for kind in kinds)  # which is for nobody
