"""Private keys as text: the one kind of secret that has more than one line."""

from __future__ import annotations

import re

_KEY = re.compile(
    r"-----BEGIN (?P<kind>(?:RSA |EC )?PRIVATE KEY)-----\n"
    r"(?:[A-Za-z0-9+/=]{1,76}\n)+"
    r"-----END (?P=kind)-----"
)
_PARAMETERS = re.compile(r"-----BEGIN EC PARAMETERS-----\n[^-]+\n-----END EC PARAMETERS-----")


def private_key(text: str) -> str:
    """The private key that a text is, as OpenSSL writes it; empty when it is anything else.

    One that is encrypted is something else: no host has its passphrase.
    """
    lines = [line.strip() for line in text.strip().splitlines()]
    bare = _PARAMETERS.sub("", "\n".join(lines)).strip()
    return bare if _KEY.fullmatch(bare) else ""
