"""The one place that opens secrets, and closes them again in everything that leaves.

A plan holds tokens, ``‹secret:NAME›``; the values come beside it. ``reveal`` puts the
values in just before resources are built, ``hide`` turns them back into tokens in
every event.
"""

from __future__ import annotations

import re
from typing import Any, Dict, List, Pattern, Set

TOKEN = re.compile("‹secret:([a-z0-9_]+)›")
HIDDEN = "‹hidden: this file holds secrets›"


class Redactor:
    """Knows the values of one run's secrets."""

    def __init__(self, secrets: Dict[str, str]) -> None:
        self.secrets = secrets
        # The longest first: a value may be the beginning of another one.
        self._values = sorted(secrets.items(), key=lambda item: -len(item[1]))

    def reveal(self, data: Any) -> Any:
        """The same data with the values in the place of the tokens."""
        if isinstance(data, str):
            return TOKEN.sub(lambda match: self.secrets[match.group(1)], data)
        if isinstance(data, list):
            return [self.reveal(item) for item in data]
        if isinstance(data, dict):
            return {key: self.reveal(value) for key, value in data.items()}
        return data

    def hide(self, data: Any) -> Any:
        """The same data with tokens in the place of the values."""
        if isinstance(data, str):
            for name, value in self._values:
                data = data.replace(value, f"‹secret:{name}›")
            return data
        if isinstance(data, (list, tuple)):
            return [self.hide(item) for item in data]
        if isinstance(data, dict):
            return {key: self.hide(value) for key, value in data.items()}
        return data


def holds_secrets(data: Any) -> bool:
    """Is there a token anywhere in a resource's data?"""
    if isinstance(data, str):
        return TOKEN.search(data) is not None
    if isinstance(data, dict):
        return any(holds_secrets(value) for value in data.values())
    if isinstance(data, (list, tuple)):
        return any(holds_secrets(value) for value in data)
    return False


def hide_old_values(diff: str, content: str) -> str:
    """A diff of a file with secrets, safe to show.

    ``content`` is the wanted text with tokens. Lines that go away may hold values that
    we never knew (an older password): they are shown only where a wanted line without
    its tokens matches them, and then with the token in the value's place. Context lines
    are in both files, so ``hide`` has seen to them.
    """
    patterns = _patterns(content)
    plain = set(content.splitlines())
    shown: List[str] = []
    for line in diff.splitlines():
        goes = line.startswith("-") and not line.startswith("--- ")
        shown.append("-" + _hide_line(line[1:], patterns, plain) if goes else line)
    return "\n".join(shown)


def _patterns(content: str) -> Dict[str, Pattern[str]]:
    lines = [line for line in content.splitlines() if TOKEN.search(line)]
    return {
        line: re.compile(".*".join(re.escape(part) for part in re.split(TOKEN.pattern, line)[::2]))
        for line in lines
    }


def _hide_line(line: str, patterns: Dict[str, Pattern[str]], plain: Set[str]) -> str:
    if line in plain:
        return line
    for wanted, pattern in patterns.items():
        if pattern.fullmatch(line):
            return wanted
    return HIDDEN
