"""Secrets by name.

Roles, templates and plans only ever hold a secret's token, ``‹secret:NAME›``. The value
is in the vault (``nodriza.vault.store``), travels beside the plan and takes the token's place
on the host; there is no way from here to a value.
"""

from __future__ import annotations

import re

from nodriza.errors import SecretError
from nodriza.host.redact import escaped

NAME = r"[a-z0-9_]+"
OTHER = ".other"
"""After a name: the second value that is accepted while the secret is being rotated."""
_TOKEN_NAME = rf"{NAME}(?:\.other)?"
ESCAPED = ":env"
"""At the end of a token that stands inside of double quotes."""
TOKEN = re.compile(f"‹secret:({_TOKEN_NAME})(?:{ESCAPED})?›")
# What a token looks like after JSON, URL or HTML encoding, or a change of case.
_TRACE = re.compile(r"(?:‹|\\u2039|%E2%80%B9|&lsaquo;|&#8249;)secret(?::|%3A)", re.IGNORECASE)


class Secret(str):
    """A secret's token, as text.

    It is the token and nothing more, so whatever prints, joins, compares or serialises
    it handles the token.
    """

    __slots__ = ()

    def __new__(cls, name: str) -> Secret:
        """Refuses a name that no token could carry."""
        if not re.fullmatch(_TOKEN_NAME, name):
            raise SecretError(
                f"{name!r} can't be the name of a secret",
                do="use small letters, digits and underscores only",
            )
        return super().__new__(cls, f"‹secret:{name}›")

    @property
    def name(self) -> str:
        """What the vault knows it by."""
        return self[len("‹secret:") : -1]

    def __repr__(self) -> str:
        return str(self)

    def __getnewargs__(self) -> tuple[str]:
        return (self.name,)


def secret(name: str) -> Secret:
    """The secret of that name; made when it is first needed."""
    if name.endswith(OTHER):
        raise SecretError(
            f"{name} is there only while {name.removesuffix(OTHER)} is being rotated",
            do=f'cluster.accepted("{name.removesuffix(OTHER)}") has every value that counts',
        )
    return Secret(name)


def env(text: str) -> str:
    """A text for the inside of double quotes in an environment file or a shell script.

    The value of a secret in it is escaped as well, on the host, where it is known.
    """
    return TOKEN.sub(rf"‹secret:\1{ESCAPED}›", escaped(text))


def names_in(text: str) -> set[str]:
    """The secrets that a text names.

    Raises ``SecretError`` when a token was changed on its way (a template's filter):
    the host would not know it again, and serve the ruin of a token as a password.
    """
    if "secret" not in text.lower():  # as in most texts, and much sooner found out
        return set()
    found: list[str] = TOKEN.findall(text)
    traces = [match.start() for match in _TRACE.finditer(text)]
    if len(traces) != len(found):
        whole = {match.start() for match in TOKEN.finditer(text)}
        at = next(start for start in traces if start not in whole)
        raise SecretError(
            f"a secret's token was changed on its way: {text[at : at + 40].splitlines()[0]}",
            do='use the secret as it is, or inside of double quotes: "{{ secret(…) | env }}"',
        )
    return set(found)
