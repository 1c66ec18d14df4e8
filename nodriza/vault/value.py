"""What a secret's name and value may be, and where a value fits.

A value is taken as it is: the key of a cloud, a DSN, a passphrase with blanks, a private key
or another text of several lines. Where it is written, it is escaped (``env`` in templates, the
password of a URL), or stands alone on its line; anywhere else only letters, digits and a few
signs are right in every kind of file, and another value is refused before it gets there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from nodriza.errors import SecretError
from nodriza.vault.token import NAME

if TYPE_CHECKING:
    pass

SHORTEST = 8
"""Characters; a shorter one would be taken out of texts that have nothing to do with it."""
LONGEST = 32_768
"""Bytes, a quarter of what one variable of a process may have (execve(2), MAX_ARG_STRLEN)."""
NEXT = ".next"
OLD = ".old"
"""After a name, while it is being rotated: the value that comes, the one that goes."""
_REFUSED = re.compile(r"[^ -~\n]")
_KINDS = {"\t": "a tab", "\r": "a carriage return (the file is from Windows: tr -d '\\r')"}


def refuse_bad(values: Mapping[str, str]) -> None:
    """Raise ``SecretError`` for a name or a value that can't be kept; it never shows a value."""
    for name, value in values.items():
        if not re.fullmatch(rf"{NAME}(?:\{NEXT}|\{OLD})?", name):
            raise SecretError(
                f"{name!r} can't be the name of a secret",
                kept="nothing was written",
                do="use small letters, digits and underscores only",
            )
        if why := _why_not(value):
            raise SecretError(
                f"the value of {name} can't be used: {why}",
                kept="nothing was written",
                do="use printable ASCII, in one line or several; encode the rest (base64)",
            )


def _why_not(value: str) -> str:
    if len(value) < SHORTEST:
        return f"it is shorter than {SHORTEST} characters"
    if len(value) > LONGEST:
        return f"it is longer than {LONGEST} bytes"
    if found := _REFUSED.search(value):
        char = found.group()
        kind = _KINDS.get(char, f"a character that is not printable ASCII (U+{ord(char):04X})")
        return f"it has {kind} in it"
    if value != value.strip():
        return "it begins or ends with a blank, which nobody sees"
    return ""
