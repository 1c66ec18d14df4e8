"""The reference of an inventory's keys: what ``fab inventory.keys`` prints."""

from __future__ import annotations

from docs.site.commands import plain
from nodriza.inventory.key_docs import Key, all_keys


def page() -> str:
    """All of it, as reStructuredText: a heading for each key of the file itself."""
    blocks = [
        "Keys of an inventory\n====================\n",
        "``fab inventory.keys`` prints the same; ``inventory.rst`` says how they work together.\n",
        *(_block(key) for key in all_keys()),
    ]
    return "\n".join(blocks)


def _block(key: Key) -> str:
    terms = f"*{plain(key.terms)}*" if key.terms else ""
    if "." not in key.path:
        return f"{key.path}\n{'-' * len(key.path)}\n\n{terms}\n\n{_code(key.about)}\n"
    return f".. confval:: {key.path}\n\n   {terms}\n\n   {_code(key.about)}\n"


def _code(text: str) -> str:
    """What stands between single backticks is code; nothing else is markup."""
    parts = text.split("`")
    return "".join(f"``{part}``" if n % 2 else plain(part) for n, part in enumerate(parts))
