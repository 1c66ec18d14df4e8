"""The one place that opens secrets, and closes them again in everything that leaves.

A plan holds tokens, ``‹secret:NAME›``; the values come beside it. ``reveal`` puts the
values in just before resources are built, ``hide`` turns them back into tokens in
every event.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any, Dict, Iterable, List, Match, Pattern, Set, Tuple

TOKEN = re.compile("‹secret:([a-z0-9_.]+)(:env)?›")
"""A secret's name, and whether it stands inside of double quotes, which need escapes."""
IN_URL = re.compile(f"(//[^/@\\s]*:){TOKEN.pattern}(?=@)")
"""Where a URL has its password; there it is percent-encoded (RFC 3986, 3.2.1)."""
HIDDEN = "‹hidden: this file holds secrets›"
NAMED = re.compile(r"\s*[A-Za-z_][\w.-]*\s*[=:]\s*")
"""The name that a line of a configuration file gives a value to."""


class Redactor:
    """Knows the values of one run's secrets."""

    def __init__(self, secrets: Dict[str, str]) -> None:
        self.secrets = secrets
        self._hidden = Hidden((value, name) for name, value in secrets.items())

    def reveal(self, data: Any) -> Any:
        """The same data with the values in the place of the tokens."""
        if isinstance(data, str):
            data = IN_URL.sub(lambda match: match[1] + _quoted(self.secrets[match[2]]), data)
            return TOKEN.sub(self._value, data)
        if isinstance(data, list):
            return [self.reveal(item) for item in data]
        if isinstance(data, dict):
            return {key: self.reveal(value) for key, value in data.items()}
        return data

    def _value(self, match: Match[str]) -> str:
        value = self.secrets[match[1]]
        return escaped(value) if match[2] else value

    def hide(self, data: Any) -> Any:
        """The same data with tokens in the place of the values."""
        if isinstance(data, str):
            return self._hidden.text(data)
        if isinstance(data, (list, tuple)):
            return [self.hide(item) for item in data]
        if isinstance(data, dict):
            return {self.hide(key): self.hide(value) for key, value in data.items()}
        return data


class Hidden:
    """Texts without some values, given as pairs of a value and its secret's name."""

    def __init__(self, values: Iterable[Tuple[str, str]]) -> None:
        forms = {
            form: name
            for value, name in values
            for part in (value, *_lines(value))
            for form in _forms(part)
        }
        # The longest first: a value may be the beginning of another one.
        self._forms = sorted(forms.items(), key=lambda item: -len(item[0]))

    def text(self, text: str) -> str:
        """With a token in the place of each value, encoded ones too."""
        for form, name in self._forms:
            text = text.replace(form, f"‹secret:{name}›")
        return text


def _lines(value: str) -> List[str]:
    # A private key is many lines, and a diff or an error may have any one of them.
    lines = value.splitlines()
    return [line for line in lines if len(line) >= 8 and line[0] != "-"] if lines[1:] else []


def escaped(text: str) -> str:
    """A text inside of double quotes, as an environment file has them (systemd.exec(5)) and
    a shell (sh(1)): a line break may stand there as it is.
    """
    return re.sub(r'(["\\`$])', r"\\\1", text)


def _forms(value: str) -> Set[str]:
    """A value as it is, in quotes, percent-encoded, in XML, in hexadecimal and within base64."""
    data = value.encode()
    forms = {value, _quoted(value), _quoted(value, "/"), data.hex(), escaped(value)}
    if set(value) & set("'\"\\\n"):
        # In JSON, in Python's words for an error, in a shell's single quotes.
        forms |= {json.dumps(value)[1:-1], repr(value)[1:-1], value.replace("'", "'\"'\"'")}
        forms.add(value.replace("'", "\\'"))
    if set(value) & set("&<>'\""):
        import html  # noqa: PLC0415  slow to load, and hardly a secret needs it

        forms.add(html.escape(value))
    for before in range(3):
        # What stands before it decides which bits share a letter; those are left out.
        coded = base64.b64encode(b"\0" * before + data).decode()
        begin = (0, 2, 3)[before]
        end = (before + len(data)) * 8 // 6
        forms |= {coded[begin:end], coded[begin:end].translate(URL_SAFE)}
    return forms


URL_SAFE = str.maketrans("+/", "-_")
UNRESERVED = re.compile("[A-Za-z0-9._~-]*")
"""What a URL has as it is (RFC 3986, 2.3)."""


def _quoted(value: str, safe: str = "") -> str:
    if UNRESERVED.fullmatch(value):
        return value
    from urllib.parse import quote  # noqa: PLC0415  slow to load, and hardly a secret needs it

    return quote(value, safe=safe)


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
    its tokens matches them, and then with the token in the value's place; or by the name
    alone that a wanted line begins with, so that one sees what changes. Context lines are
    in both files, so ``hide`` has seen to them.
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
        line: re.compile(".*".join(re.escape(part) for part in re.split(TOKEN.pattern, line)[::3]))
        for line in lines
    }


def _hide_line(line: str, patterns: Dict[str, Pattern[str]], plain: Set[str]) -> str:
    if line in plain:
        return line
    for wanted, pattern in patterns.items():
        if pattern.fullmatch(line):
            return TOKEN.sub(r"‹secret:\1›", wanted)
    head = NAMED.match(line)
    if head and any(wanted.startswith(head[0]) for wanted in plain):
        return head[0] + HIDDEN
    return HIDDEN
