"""Files of variables, as systemd reads them."""

from __future__ import annotations

import re
from typing import Dict, Tuple

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
BLANK = " \t"
NEWLINE = "\r\n"


def parse_environment(text: str) -> Dict[str, str]:
    """The variables of an ``EnvironmentFile``, read as systemd reads it (systemd.exec(5)).

    Names that no shell could hold are left out, as systemd does.
    """
    text = text.replace("\0", "")
    found: Dict[str, str] = {}
    at = 0
    while at < len(text):
        if text[at] in BLANK + NEWLINE:
            at += 1
        elif text[at] in "#;":
            at = _line_end(text, at)
        else:
            end = _line_end(text, at)
            name, equals, _ = text[at:end].partition("=")
            if equals:
                value, end = _value(text, at + len(name) + 1)
                if NAME.fullmatch(name.rstrip(BLANK)):
                    found[name.rstrip(BLANK)] = value
            at = end
    return found


def _line_end(text: str, at: int) -> int:
    while at < len(text) and text[at] not in NEWLINE:
        at += 1
    return at


def _value(text: str, at: int) -> Tuple[str, int]:
    """The value that begins at ``at``, quotes and all, and where it ends."""
    value = ""
    while at < len(text) and text[at] not in NEWLINE:
        if text[at] in BLANK:
            at += 1
        elif text[at] in "'\"":
            part, at = _quoted(text, at)
            value += part
        else:
            part, at = _bare(text, at)
            return value + part, at  # once begun, bare text goes on to the end of the line
    return value, at


def _quoted(text: str, at: int) -> Tuple[str, int]:
    quote, value, at = text[at], "", at + 1
    while at < len(text) and text[at] != quote:
        if text[at] == "\\" and quote == '"':
            after = text[at + 1 : at + 2]
            # In double quotes a backslash is one, except before these.
            value += after if after in '"\\`$' else "" if after == "\n" else "\\" + after
            at += 2
        else:
            value += text[at]
            at += 1
    return value, at + 1


def _bare(text: str, at: int) -> Tuple[str, int]:
    value, end = "", 0
    while at < len(text) and text[at] not in NEWLINE:
        escaped = text[at] == "\\"
        if escaped:
            at += 1
        if at < len(text) and not (escaped and text[at] in NEWLINE):
            value += text[at]
        if escaped or text[at] not in BLANK:
            end = len(value)  # blanks at the end of the line aren't part of it
        at += 1
    return value[:end], at
